import type { RoomRefusal } from '../../api.ts';
import type { Denied } from '../../mesh/identity/index.ts';
import type { ProofFailure } from '../../mesh/link/index.ts';
import type { DeviceId } from '../../mesh/types.ts';

/**
 * What a newcomer makes of those who answer it. It cannot tell members from others that have the invite before a welcome
 * says so: no answer counts while somebody else may still say otherwise, and one that only a stranger could have given
 * does not count at all.
 */
export class Joining {
  /** Devices with a link that have not said no; of them those that asked somebody. */
  readonly #open = new Set<DeviceId>();
  readonly #asking = new Set<DeviceId>();
  #listed: readonly string[] = [];
  readonly #everListed = new Set<string>();
  /** Who said no, or could not be understood. */
  readonly #done = new Set<string>();
  /** Once somebody denied it, only those are asked who were listed by then: not each that comes later. */
  #isDenied = false;
  #no: RoomRefusal | undefined;

  /** Somebody asks its person. */
  get isAsking(): boolean {
    return this.#asking.size > 0;
  }

  /** Why it does not go on, as far as is known. */
  get refused(): RoomRefusal | undefined {
    return this.#open.size === 0 ? this.#no : undefined;
  }

  /** Takes what the directory lists, and says whom of those to call. */
  list(addresses: readonly string[]): readonly string[] {
    this.#listed = addresses;
    if (!this.#isDenied) for (const address of addresses) this.#everListed.add(address);
    return this.toCall();
  }

  toCall(): readonly string[] {
    return this.#listed.filter((address) => this.mayAsk(address));
  }

  mayAsk(address: string): boolean {
    return !this.#done.has(address) && (!this.#isDenied || this.#everListed.has(address));
  }

  opened(device: DeviceId): void {
    this.#open.add(device);
  }

  closed(device: DeviceId): void {
    this.#open.delete(device);
    this.#asking.delete(device);
  }

  asked(device: DeviceId): void {
    if (this.#open.has(device)) this.#asking.add(device);
  }

  denied(device: DeviceId, address: string, reason: Denied['reason']): void {
    this.closed(device);
    this.#no = reason;
    // a word about this moment, or the invite: others may know better
    if (reason === 'busy' || reason === 'old-invite') return;
    this.#isDenied = true;
    this.#done.add(address);
  }

  /** A welcome that does not speak for the room, or, as its form says, one of another version. */
  misled(device: DeviceId, address: string, isOtherVersion: boolean): void {
    this.closed(device);
    this.#done.add(address);
    if (isOtherVersion) this.#no = 'version';
  }

  /** A proof that failed. 'removed' and 'old-invite' come from who proved the invite's key; what version it is cannot be proved. */
  failed({ reason, by }: ProofFailure): void {
    if (reason === 'version' || (by === 'peer' && (reason === 'removed' || reason === 'old-invite'))) this.#no = reason;
  }
}
