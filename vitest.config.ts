import { defineConfig } from 'vitest/config';

/** A software GPU compiles each kernel for seconds, on busy cores for minutes. */
const KERNEL_TIMEOUT_MS = 300_000;
const CONFORMANCE_TIMEOUT_MS = 300_000;

/** On two cores a test that waits for its turn is not a test that hangs. */
const UNIT_TIMEOUT_MS = 30_000;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{worker,signaling,web,shaders,tests,bench}/**/*.test.ts'],
          exclude: ['tests/{kernels,engine,conformance,e2e}/**', '**/node_modules/**'],
          environment: 'node',
          testTimeout: UNIT_TIMEOUT_MS,
          hookTimeout: UNIT_TIMEOUT_MS,
        },
      },
      {
        test: {
          name: 'kernels',
          include: ['tests/kernels/**/*.test.ts', 'tests/engine/**/*.test.ts'],
          environment: 'node',
          // Dawn lives in the process: worker threads would share it, and its end ends them all
          pool: 'forks',
          // one device after the other: the software driver takes every core by itself
          maxWorkers: 1,
          testTimeout: KERNEL_TIMEOUT_MS,
          hookTimeout: KERNEL_TIMEOUT_MS,
        },
      },
      {
        test: {
          name: 'conformance',
          include: ['tests/conformance/**/*.test.ts'],
          environment: 'node',
          pool: 'forks',
          maxWorkers: 1,
          testTimeout: CONFORMANCE_TIMEOUT_MS,
          hookTimeout: CONFORMANCE_TIMEOUT_MS,
        },
      },
    ],
  },
});
