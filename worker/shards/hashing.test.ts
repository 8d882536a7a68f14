import { createHash as nodeHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PIECE_BYTES } from './digest.ts';
import { type HashReply, type HashRequest, type HashWorker, hashBeside, hashHere } from './hashing.ts';

type Listener = (event: { readonly data: HashReply } & { readonly message?: string }) => void;

/** A worker whose replies are sent by hand; what is posted to it is moved, as a real one's is. */
class ManualWorker implements HashWorker {
  readonly requests: HashRequest[] = [];
  readonly #listeners = new Map<string, Listener>();

  postMessage(message: HashRequest, transfer: Transferable[]): void {
    this.requests.push(structuredClone(message, { transfer }));
  }
  addEventListener(type: string, listener: unknown): void {
    this.#listeners.set(type, listener as Listener);
  }
  say(data: HashReply): void {
    this.#listeners.get('message')?.({ data });
  }
  fail(message: string): void {
    this.#listeners.get('error')?.({ message } as never);
  }
  answer(fails = false): void {
    const request = this.requests.shift() as HashRequest;
    this.say({ kind: 'hashed', ...request, sha256: fails ? undefined : digestOf(request.bytes).buffer });
  }
}

function sha256Of(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(nodeHash('sha256').update(bytes).digest());
}

function digestOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = nodeHash('sha256');
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    all.update(sha256Of(bytes.subarray(start, start + PIECE_BYTES)));
  }
  return Uint8Array.from(all.digest());
}

function setUp(count: number) {
  const workers: ManualWorker[] = [];
  const hash = hashBeside(() => {
    const worker = new ManualWorker();
    workers.push(worker);
    return worker;
  }, count);
  return { hash, workers };
}

async function ready(count: number) {
  const { hash, workers } = setUp(count);
  await hash(new Uint8Array(1));
  for (const worker of workers) worker.say({ kind: 'ready' });
  return { hash, workers };
}

test('a shard is hashed in pieces, the last of which may be short', async () => {
  for (const length of [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 17]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 9)) & 255);
    const { sha256 } = await hashHere(bytes);
    expect(sha256).toEqual(digestOf(bytes));
    bytes[length - 1] = (bytes[length - 1] as number) ^ 1;
    expect((await hashHere(bytes)).sha256).not.toEqual(sha256);
  }
});

describe('hashing beside the thread that asks', () => {
  test('gives each its own hash and bytes, in whatever order they come back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1 }), { minLength: 1, maxLength: 9 }), async (all) => {
        const { hash, workers } = await ready(2);
        const asked = all.map((bytes) => hash(Uint8Array.from(bytes)));
        expect(workers.map(({ requests }) => requests.length).sort()).toEqual(
          [all.length >> 1, (all.length + 1) >> 1].sort(),
        );
        for (const worker of workers.reverse()) while (worker.requests.length > 0) worker.answer();
        for (const [i, hashed] of (await Promise.all(asked)).entries()) {
          expect(hashed.bytes).toEqual(all[i]);
          expect(hashed.sha256).toEqual(digestOf(all[i] as Uint8Array));
        }
      }),
    );
  });

  test('moves the buffer there and back', async () => {
    const { hash, workers } = await ready(1);
    const buffer = new ArrayBuffer(64);
    const asked = hash(new Uint8Array(buffer, 0, 9));
    expect(buffer.byteLength).toBe(0);
    workers[0]?.answer();
    const { bytes } = await asked;
    expect([bytes.length, bytes.buffer.byteLength]).toEqual([9, 64]);
  });

  test('is done here until a worker is ready, and where none can be had', async () => {
    const bytes = Uint8Array.from([1, 2, 3]);
    const { hash, workers } = setUp(1);
    expect((await hash(bytes)).sha256).toEqual(digestOf(bytes));
    workers[0]?.fail('not found');
    expect((await hash(bytes)).sha256).toEqual(digestOf(bytes));
    const without = hashBeside(() => {
      throw new Error('forbidden');
    }, 1);
    expect((await without(bytes)).sha256).toEqual(digestOf(bytes));
  });

  test('is done here when the worker could not', async () => {
    const { hash, workers } = await ready(1);
    const asked = hash(Uint8Array.from([5]));
    workers[0]?.answer(true);
    expect((await asked).sha256).toEqual(digestOf(Uint8Array.from([5])));
  });

  test('tells who waits when a worker dies, and goes on without it', async () => {
    const { hash, workers } = await ready(1);
    const asked = hash(Uint8Array.from([5]));
    workers[0]?.fail('out of memory');
    await expect(asked).rejects.toThrow('out of memory');
    expect((await hash(Uint8Array.from([6]))).sha256).toEqual(digestOf(Uint8Array.from([6])));
  });
});
