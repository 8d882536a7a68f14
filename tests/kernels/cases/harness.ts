import {
  expectClose,
  expectEqual,
  expectTrue,
  type KernelCase,
  poisoned,
  readFloats,
  readWords,
  spread,
  upload,
  uploadStorage,
} from '../harness.ts';

/** The harness itself: what it uploads comes back, and what is wrong is found. */
export const cases: readonly KernelCase[] = [
  {
    name: 'activations come back as they were stored',
    async run(gpu, random) {
      const { buffer, values } = uploadStorage(gpu, random.floats(77));
      expectEqual(gpu, 'activations', await readFloats(gpu, buffer, 77, 'storage'), values);
    },
  },
  {
    name: 'words come back',
    async run(gpu, random) {
      const words = Uint32Array.from({ length: 9 }, () => random.word());
      expectEqual(gpu, 'words', await readWords(gpu, upload(gpu, words), 9), words);
    },
  },
  {
    name: 'an output that was not written is found, and so is one that is slightly off',
    environments: ['driver', 'safari', 'android', 'page'],
    async run(gpu) {
      const expected = [1, 2, 3];
      const unwritten = await readFloats(gpu, poisoned(gpu, 3, 'storage'), 3, 'storage');
      const throws = (actual: ArrayLike<number>) => {
        try {
          expectClose(gpu, 'probe', actual, expected, { ofRms: 1e-3 });
          return false;
        } catch {
          return true;
        }
      };
      expectTrue(gpu, throws(unwritten), 'NaN passed');
      expectTrue(gpu, throws([1, 2, 3.01]), 'a value that is off passed');
      expectTrue(gpu, !throws([1, 2.0001, 3]), 'a value within the tolerance did not pass');
      expectEqual(gpu, 'spread', spread(new Float32Array([1, 2, 3, 4]), 2, 3), [1, 2, 0, 3, 4, 0]);
    },
  },
];
