import type { DeviceId, ModelKey, PlacementId } from '../types.ts';
import { isSamePlacement } from './placement-order.ts';
import type { Records } from './records.ts';

/** Who has use for something: nobody, some live device, or this device itself. */
export type Users = 'nobody' | 'others' | 'self';

/** What the records of live devices say of who runs on what, waits for it, holds or loads it. */
export class Use {
  readonly #self: DeviceId;
  readonly #records: Records;

  constructor(self: DeviceId, records: Records) {
    this.#self = self;
    this.#records = records;
  }

  ofPlacement(id: PlacementId): Users {
    return this.#of((other) => isSamePlacement(other, id));
  }

  ofModel(model: ModelKey): Users {
    return this.#of((other) => other.model === model);
  }

  #of(isMeant: (id: PlacementId) => boolean): Users {
    let users: Users = 'nobody';
    for (const device of this.#records.live()) {
      const { stages, driving } = this.#records.of(device) ?? { stages: [], driving: [] };
      if (![...driving, ...stages].some(({ placement }) => isMeant(placement))) continue;
      if (device === this.#self) return 'self';
      users = 'others';
    }
    return users;
  }
}
