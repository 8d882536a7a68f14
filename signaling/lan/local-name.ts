import { runProgram } from '../run-program.ts';

/** The part of multicast DNS that is used here; `multicast-dns` gives it. */
export interface Mdns {
  query(questions: readonly { readonly name: string; readonly type: 'A' }[]): void;
  respond(answers: readonly MdnsAnswer[]): void;
  on(event: 'query', listener: (packet: { readonly questions: readonly MdnsQuestion[] }) => void): void;
  on(event: 'response', listener: (packet: { readonly answers: readonly MdnsAnswer[] }) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'warning', listener: (error: Error) => void): void;
  off(event: 'response', listener: (packet: { readonly answers: readonly MdnsAnswer[] }) => void): void;
  destroy(): void;
}

export interface MdnsQuestion {
  readonly name: string;
  readonly type: string;
}

export interface MdnsAnswer {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  /** Whoever remembers another address under this name forgets it. */
  readonly flush?: boolean;
  readonly data?: unknown;
}

/** Opens multicast DNS on the interface that has this address. */
export type OpenMdns = (address: string) => Mdns;

/** How this computer got its name, or why it has none. */
export type LocalName =
  | { readonly kind: 'system'; readonly name: string }
  | { readonly kind: 'own'; readonly name: string; close(): void; moveTo(addresses: readonly string[]): void }
  | { readonly kind: 'none'; readonly reason: string };

/** RFC 6762, section 8.1, waits 750 ms before a name counts as free. */
const ANSWER_MS = 1_000;
const ASKED_TIMES = 3;
const TTL_SECONDS = 120;
const LONGEST_LABEL = 63;

/** The first label of a computer's name as multicast DNS knows it. */
export function labelOf(hostname: string): string {
  const label = (hostname.split('.')[0] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, LONGEST_LABEL)
    .replace(/-+$/, '');
  return label === '' || label === 'localhost' ? 'shoal' : label;
}

/** The name that this computer gives itself; macOS has one of its own for local networks. */
export async function computerName(hostname: string, platform: NodeJS.Platform): Promise<string> {
  if (platform !== 'darwin') return hostname;
  const { code, output } = await runProgram('scutil', ['--get', 'LocalHostName'], { timeoutMs: 3_000 });
  return code === 0 && output.trim() !== '' ? output.trim() : hostname;
}

/**
 * Finds the .local name of this computer: its own where something answers to it already, else the same name answered
 * from here, else (where another computer has it) one with `-shoal` behind.
 */
export async function findLocalName(
  label: string,
  addresses: readonly string[],
  openMdns: OpenMdns,
  answerMs = ANSWER_MS,
): Promise<LocalName> {
  if (addresses.length === 0) return { kind: 'none', reason: 'this computer is in no network' };
  const opened: Mdns[] = [];
  const closeAll = () => {
    for (const mdns of opened) mdns.destroy();
  };
  try {
    let failure: Error | undefined;
    for (const address of addresses) {
      const mdns = openMdns(address);
      mdns.on('error', (error) => {
        failure = error;
      });
      // a packet that cannot be read, an interface that went away
      mdns.on('warning', () => {});
      opened.push(mdns);
    }
    for (const candidate of [label, `${label.slice(0, LONGEST_LABEL - 6)}-shoal`]) {
      const name = `${candidate}.local`;
      const found = await whoAnswers(name, opened, answerMs);
      if (failure) throw failure;
      if (addresses.some((address) => found.has(address))) {
        closeAll();
        return { kind: 'system', name };
      }
      if (found.size === 0) return answerAs(name, addresses, opened, openMdns);
    }
    closeAll();
    return { kind: 'none', reason: `other computers answer to ${label}.local and ${label}-shoal.local` };
  } catch (error) {
    closeAll();
    return { kind: 'none', reason: error instanceof Error ? error.message : String(error) };
  }
}

async function whoAnswers(name: string, mdnses: readonly Mdns[], answerMs: number): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const listen = (packet: { readonly answers: readonly MdnsAnswer[] }) => {
    for (const answer of packet.answers) {
      if (answer.type === 'A' && answer.name.toLowerCase() === name && typeof answer.data === 'string') {
        found.add(answer.data);
      }
    }
  };
  for (const mdns of mdnses) mdns.on('response', listen);
  for (let i = 0; i < ASKED_TIMES && found.size === 0; i++) {
    for (const mdns of mdnses) mdns.query([{ name, type: 'A' }]);
    await new Promise((resolve) => setTimeout(resolve, answerMs / ASKED_TIMES));
  }
  for (const mdns of mdnses) mdns.off('response', listen);
  return found;
}

function answerAs(name: string, addresses: readonly string[], opened: readonly Mdns[], openMdns: OpenMdns): LocalName {
  const answering = new Map<string, Mdns>();
  const answer = (address: string): MdnsAnswer => ({ name, type: 'A', ttl: TTL_SECONDS, flush: true, data: address });
  const begin = (address: string, mdns: Mdns) => {
    answering.set(address, mdns);
    mdns.on('query', ({ questions }) => {
      const isAsked = questions.some(
        (question) => question.name.toLowerCase() === name && (question.type === 'A' || question.type === 'ANY'),
      );
      if (isAsked) mdns.respond([answer(address)]);
    });
    mdns.respond([answer(address)]);
  };
  addresses.forEach((address, i) => {
    const mdns = opened[i];
    if (mdns) begin(address, mdns);
  });
  return {
    kind: 'own',
    name,
    close: () => {
      for (const mdns of answering.values()) mdns.destroy();
      answering.clear();
    },
    moveTo: (now) => {
      for (const [address, mdns] of answering) {
        if (now.includes(address)) continue;
        mdns.destroy();
        answering.delete(address);
      }
      for (const address of now) {
        if (answering.has(address)) continue;
        const mdns = openMdns(address);
        mdns.on('error', () => answering.delete(address));
        mdns.on('warning', () => {});
        begin(address, mdns);
      }
    },
  };
}
