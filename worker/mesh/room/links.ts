import type { DeviceId } from '../types.ts';
import { LOST_MS, SUSPECT_MS } from './constants.ts';

/** What a device knows of its own link to one peer; times are awake ms. */
interface PeerLink {
  readonly peer: DeviceId;
  up: boolean;
  heardMs: number;
  suspected: boolean;
  /** When it was lost and is not back; undefined: never lost, or let go on purpose. */
  lostMs: number | undefined;
}

export type LinkEvent = 'suspected' | 'heard-again' | 'silent';

/** Which peers are heard: 1.5 s of silence is suspicion, 4 s, a close or a goodbye is a lost link. */
export class Links {
  readonly #links = new Map<DeviceId, PeerLink>();
  /** Rises when a link comes or goes, or a suspicion does. */
  version = 0;

  /** Peers with a link. */
  *up(): Iterable<DeviceId> {
    for (const link of this.#links.values()) if (link.up) yield link.peer;
  }

  isUp(peer: DeviceId): boolean {
    return this.#links.get(peer)?.up === true;
  }

  isSuspected(peer: DeviceId): boolean {
    return this.#links.get(peer)?.suspected === true;
  }

  /** When the link was lost that is still not back. */
  lostSinceMs(peer: DeviceId): number | undefined {
    return this.#links.get(peer)?.lostMs;
  }

  *lost(): Iterable<DeviceId> {
    for (const link of this.#links.values()) if (link.lostMs !== undefined) yield link.peer;
  }

  opened(peer: DeviceId, nowMs: number): void {
    this.#links.set(peer, { peer, up: true, heardMs: nowMs, suspected: false, lostMs: undefined });
    this.version++;
  }

  /** Closed, said goodbye, fell silent, or could not be opened. */
  lose(peer: DeviceId, nowMs: number): void {
    const link = this.#links.get(peer);
    if (link !== undefined && !link.up && link.lostMs !== undefined) return;
    this.#links.set(peer, { peer, up: false, heardMs: link?.heardMs ?? 0, suspected: false, lostMs: nowMs });
    this.version++;
  }

  /** Not wanted any more: that it is down means nothing. */
  letGo(peer: DeviceId): void {
    if (this.#links.delete(peer)) this.version++;
  }

  /** True where a suspicion proves wrong. */
  heard(peer: DeviceId, nowMs: number): boolean {
    const link = this.#links.get(peer);
    if (link === undefined || !link.up) return false;
    link.heardMs = nowMs;
    if (!link.suspected) return false;
    link.suspected = false;
    this.version++;
    return true;
  }

  /** Calls back for each link that fell silent since the last time. A silent one stays up until `lose`. */
  look(nowMs: number, changed: (peer: DeviceId, event: 'suspected' | 'silent') => void): void {
    for (const link of this.#links.values()) {
      if (!link.up) continue;
      const silentMs = nowMs - link.heardMs;
      if (silentMs >= LOST_MS) changed(link.peer, 'silent');
      else if (silentMs >= SUSPECT_MS && !link.suspected) {
        link.suspected = true;
        this.version++;
        changed(link.peer, 'suspected');
      }
    }
  }
}
