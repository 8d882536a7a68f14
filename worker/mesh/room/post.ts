import type { DeviceId } from '../types.ts';
import type { Effect } from './io.ts';
import type { ControlMessage, Frame } from './messages.ts';

/** What the machines of a device share: its name, its time, and the way out. */
export interface Post<P> {
  readonly device: DeviceId;
  /** Awake ms. */
  readonly nowMs: number;
  /** True for the device itself and for linked peers. */
  reaches(device: DeviceId): boolean;
  emit(effect: Effect<P>): void;
  /** To a peer, or to this device itself. Dropped where there is no link. */
  send(device: DeviceId, message: ControlMessage): void;
  sendFrame(device: DeviceId, frame: Frame<P>): void;
}
