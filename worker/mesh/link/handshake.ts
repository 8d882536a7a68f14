import type { ProofStep } from '../identity/prover.ts';
import type { LinkChannel, LinkChannels } from './channel.ts';
import type { LinkProver, ProofContext, Proved } from './prover.ts';
import type { ProofFailure } from './window-messages.ts';

/** From the opening of a channel; the prover counts its own 5 s from its start. */
export const PROOF_TIMEOUT_MS = 5000;
/** From the making of a connection to the opening of a channel: as long as the window gives ICE to find a way. */
export const OPENING_TIMEOUT_MS = 15_000;
export const MAX_PROOF_BYTES = 2048;
/** What the other side may say while its last message is looked at: two control messages and some frames. */
const MAX_WAITING_BYTES = 160 * 1024;
export const READY = 'ready';

/** What came before the link was open, for whoever has it then. */
export interface Early {
  readonly control: readonly unknown[];
  readonly data: readonly unknown[];
}

export interface HandshakeEvents {
  createProver(context: ProofContext): LinkProver | Promise<LinkProver>;
  now(): number;
  /** Called once, or else `failed`. What comes from then on is for the handlers that this call sets on the channels. */
  proved(proved: Proved, early: Early): void;
  failed(failure: ProofFailure): void;
}

/**
 * From two fresh channels to a proved peer. A channel may open before the other side's worker listens to it: the text
 * `ready` is sent when it opens and once more when the other's arrives, and nothing else before that has come on both.
 */
export class Handshake {
  readonly #channels: LinkChannels;
  readonly #events: HandshakeEvents;
  readonly #heard = new Set<LinkChannel>();
  readonly #control: unknown[] = [];
  readonly #data: unknown[] = [];
  #waitingBytes = 0;
  #context: ProofContext | undefined;
  #prover: LinkProver | undefined;
  readonly #madeAtMs: number;
  #openedAtMs: number | undefined;
  #started = false;
  #working = false;
  #over = false;

  constructor(channels: LinkChannels, events: HandshakeEvents) {
    this.#channels = channels;
    this.#events = events;
    this.#madeAtMs = events.now();
    this.#listen(channels.control, this.#control);
    this.#listen(channels.data, this.#data);
  }

  /** The window knows both descriptions. */
  described(context: ProofContext): void {
    this.#context = context;
    void this.#advance();
  }

  /** To be called often, and when the roster changed. */
  tick(nowMs: number): void {
    const untilMs =
      this.#openedAtMs === undefined ? this.#madeAtMs + OPENING_TIMEOUT_MS : this.#openedAtMs + PROOF_TIMEOUT_MS;
    if (!this.#started && nowMs > untilMs) this.fail({ reason: 'timeout', by: 'us' });
    else if (this.#started)
      void this.#prover?.tick(nowMs).then(
        (step) => this.#take(step),
        () => this.fail({ reason: 'malformed', by: 'us' }),
      );
  }

  fail(failure: ProofFailure): void {
    if (this.#end()) this.#events.failed(failure);
  }

  #listen(channel: LinkChannel, inbox: unknown[]): void {
    channel.binaryType = 'arraybuffer';
    const opened = () => {
      this.#openedAtMs ??= this.#events.now();
      this.#send(channel, READY);
    };
    channel.onopen = opened;
    channel.onmessage = ({ data }) => this.#receive(channel, inbox, data);
    channel.onclose = () => this.fail({ reason: 'closed', by: 'peer' });
    if (channel.readyState === 'open') opened();
  }

  #receive(channel: LinkChannel, inbox: unknown[], data: unknown): void {
    if (data === READY) {
      if (!this.#heard.has(channel)) {
        this.#heard.add(channel);
        // else it is said on opening
        if (channel.readyState === 'open') this.#send(channel, READY);
      }
      void this.#advance();
      return;
    }
    this.#waitingBytes += lengthOf(data);
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      this.fail({ reason: 'malformed', by: 'us' });
      return;
    }
    inbox.push(data);
    void this.#advance();
  }

  /** One step after the other: proofs are computed asynchronously, and what comes meanwhile waits. */
  async #advance(): Promise<void> {
    if (this.#working || this.#over || !this.#context || this.#heard.size < 2) return;
    this.#working = true;
    try {
      if (!this.#prover) {
        this.#prover = await this.#events.createProver(this.#context);
        const first = this.#prover.start(this.#events.now());
        this.#started = true;
        this.#take(await first);
      }
      while (!this.#over && this.#control.length > 0) {
        const message = this.#control.shift();
        this.#waitingBytes -= lengthOf(message);
        if (typeof message !== 'string' || lengthOf(message) > MAX_PROOF_BYTES)
          return this.fail({ reason: 'malformed', by: 'us' });
        this.#take(await this.#prover.receive(message, this.#events.now()));
      }
    } catch {
      // a prover judges whatever comes; that it throws is a fault of this side, and no reason to trust the other
      this.fail({ reason: 'malformed', by: 'us' });
    } finally {
      this.#working = false;
    }
  }

  #take({ send, outcome }: ProofStep): void {
    if (this.#over) return;
    for (const message of send) this.#send(this.#channels.control, message);
    if (outcome?.kind === 'refused') {
      const { kind: _, ...failure } = outcome;
      this.fail(failure);
    }
    if (outcome?.kind === 'accepted' && this.#end())
      this.#events.proved(outcome, { control: this.#control, data: this.#data });
  }

  #send(channel: LinkChannel, message: string): void {
    try {
      channel.send(message);
    } catch {
      this.fail({ reason: 'closed', by: 'peer' });
    }
  }

  /** Whether it was not over already. */
  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    for (const channel of [this.#channels.control, this.#channels.data]) {
      channel.onopen = null;
      channel.onmessage = null;
      channel.onclose = null;
    }
    return true;
  }
}

function lengthOf(data: unknown): number {
  if (typeof data === 'string') return data.length;
  return data instanceof ArrayBuffer ? data.byteLength : MAX_WAITING_BYTES + 1;
}
