import type { Frame } from '../wire/frame.ts';

export const BEAT_MS = 250;
/** On a busy link, so that its delay is known all the same. */
const LEAST_OFTEN_MS = 1000;
/** Later echoes tell nothing about the link. */
const REMEMBERED_BEATS = 64;
/** Of a sample in the smoothed round trip, as in TCP (RFC 6298). */
const SAMPLE_WEIGHT = 1 / 8;

/** When to send a beat, what it says, and what the other's beats tell about the round trip. */
export class Beats {
  /** Smoothed, milliseconds; undefined until the first echo. */
  rttMs: number | undefined;
  #number = 0;
  #sentAtMs = new Map<number, number>();
  #lastBeatMs = Number.NEGATIVE_INFINITY;
  #heard = 0;
  #heardAtMs = 0;

  /** @param idleMs since anything was sent; ticks come more often than beats, so half a tick early is not early */
  due(nowMs: number, idleMs: number, tickMs: number): boolean {
    return idleMs >= BEAT_MS - tickMs / 2 || nowMs - this.#lastBeatMs >= LEAST_OFTEN_MS;
  }

  next(nowMs: number): Frame {
    this.#number++;
    this.#lastBeatMs = nowMs;
    this.#sentAtMs.set(this.#number, nowMs);
    this.#sentAtMs.delete(this.#number - REMEMBERED_BEATS);
    return {
      kind: 'beat',
      type: 'none',
      wantsToken: false,
      session: '0'.repeat(16),
      attempt: this.#number,
      position: this.#heard,
      epoch: this.#heard === 0 ? 0 : Math.min(0xffffffff, Math.round(nowMs - this.#heardAtMs)),
      rows: 0,
      slot: 0,
      payload: new Uint8Array(0),
    };
  }

  heard(beat: Frame, nowMs: number): void {
    this.#heard = beat.attempt;
    this.#heardAtMs = nowMs;
    const sentAt = this.#sentAtMs.get(beat.position);
    if (sentAt === undefined) return;
    // each echo counts once: a later beat with the same echo says how long the other was silent, not how far it is
    this.#sentAtMs.delete(beat.position);
    const sample = Math.max(0, nowMs - sentAt - beat.epoch);
    this.rttMs = this.rttMs === undefined ? sample : this.rttMs + SAMPLE_WEIGHT * (sample - this.rttMs);
  }
}
