import { Cell, type Readable } from './cell.ts';

export type Route =
  | { readonly view: 'start' }
  | { readonly view: 'chat'; readonly conversation?: string }
  | { readonly view: 'models' }
  | { readonly view: 'settings'; readonly section?: string };

/** `#/chat/ID`, `#/models`, `#/settings/SECTION`; anything else is the start. */
export function parseRoute(hash: string): Route {
  const [, view, rest] = hash.replace(/^#/, '').split('/');
  if (view === 'chat') return rest ? { view, conversation: decoded(rest) } : { view };
  if (view === 'models') return { view };
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
  readonly #route = new Cell<Route>(parseRoute(location.hash));

  constructor() {
    addEventListener('hashchange', () => this.#route.set(parseRoute(location.hash)));
  }

  get route(): Readable<Route> {
    return this.#route;
  }

  go(route: Route, how: 'push' | 'replace' = 'push'): void {
    if (how === 'push') location.hash = routeHash(route);
    else {
      history.replaceState(null, '', routeHash(route));
      this.#route.set(route);
    }
  }
}
