import type { LoadEvent } from '../api.ts';
import type { TransferProgress } from '../shards/types.ts';
import { TransferRate } from './transfer-rate.ts';

/** While nothing comes it is told again, so that the rate falls and does not stay what it was. */
const REPEAT_MS = 1000;

/** Tells how far a load is, with the rate of its download. */
export class LoadProgress {
  readonly #tell: (event: LoadEvent) => void;
  readonly #rate = new TransferRate();
  #layersDone = 0;
  #repeat: ReturnType<typeof setInterval> | undefined;

  constructor(tell: (event: LoadEvent) => void) {
    this.#tell = tell;
  }

  set layersDone(layers: number) {
    this.#layersDone = layers;
  }

  take(progress: TransferProgress): void {
    this.#send(progress);
    clearInterval(this.#repeat);
    this.#repeat = setInterval(() => this.#send(progress), REPEAT_MS);
  }

  /** Nothing is told after. */
  stop(): void {
    clearInterval(this.#repeat);
  }

  #send(progress: TransferProgress): void {
    this.#tell({ kind: 'progress', ...progress, layersDone: this.#layersDone, ...this.#rate.at(progress) });
  }
}
