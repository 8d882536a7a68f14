import { Cell, type Readable } from './cell.ts';

export type Route =
  | { readonly view: 'start' }
  | { readonly view: 'chat'; readonly conversation?: string }
  | { readonly view: 'models' }
  | { readonly view: 'room' }
  | { readonly view: 'settings'; readonly section?: string };

/** What the address of an invite begins with; its code follows. */
const JOIN = '#/join/';

/** `#/chat/ID`, `#/models`, `#/room`, `#/settings/SECTION`; anything else is the start. */
export function parseRoute(hash: string): Route {
  const [, view, rest] = hash.replace(/^#/, '').split('/');
  if (view === 'chat') return rest ? { view, conversation: decoded(rest) } : { view };
  if (view === 'models' || view === 'room') return { view };
  if (view === 'join') return { view: 'room' };
  if (view === 'settings') return rest ? { view, section: decoded(rest) } : { view };
  return { view: 'start' };
}

/** An address that was typed may be encoded wrongly. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function routeHash(route: Route): string {
  if (route.view === 'start') return '#/';
  if (route.view === 'chat' && route.conversation) return `#/chat/${encodeURIComponent(route.conversation)}`;
  if (route.view === 'settings' && route.section) return `#/settings/${encodeURIComponent(route.section)}`;
  return `#/${route.view}`;
}

export class Router {
  readonly #route = new Cell<Route>({ view: 'start' });
  /** An invite that the page was opened with, as it stood in the address: in memory alone, until it is used. */
  readonly invite = new Cell<string | undefined>(undefined);

  /** The conversation that was open when another page was last gone to. */
  #conversation: string | undefined;

  constructor() {
    this.#read();
    addEventListener('hashchange', () => this.#read());
  }

  get route(): Readable<Route> {
    return this.#route;
  }

  go(route: Route, how: 'push' | 'replace' = 'push'): void {
    if (how === 'push') location.hash = routeHash(route);
    else {
      history.replaceState(null, '', routeHash(route));
      this.#set(route);
    }
  }

  /** The conversation that is open, or was when the person went to another page. */
  get lastConversation(): string | undefined {
    return this.#conversation;
  }

  #set(route: Route): void {
    if (route.view === 'chat') this.#conversation = route.conversation;
    this.#route.set(route);
  }

  /** An invite lets whoever has it ask to come in: it leaves the address bar, and with it the history, at once. */
  #read(): void {
    const { hash } = location;
    if (hash.startsWith(JOIN)) {
      history.replaceState(null, '', routeHash({ view: 'room' }));
      this.invite.set(hash);
    }
    this.#set(parseRoute(hash));
  }
}
