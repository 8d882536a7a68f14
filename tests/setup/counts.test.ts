import { describe, expect, it } from 'vitest';
import { countPlaywright, countVitest } from './counts.mjs';

const test = (status: string, fullName = 'a test') => ({ status, fullName });
const file = (status: string, ...assertionResults: object[]) => ({ name: '/x/a.test.ts', status, assertionResults });

describe('a run is counted', () => {
  it('test by test, the skipped ones with their reason', () => {
    const report = {
      testResults: [file('failed', test('passed'), test('failed'), test('skipped', 'kernels no driver'))],
    };
    const counts = countVitest('kernels', report, 1);
    expect(counts).toMatchObject({ passed: 1, failed: 1 });
    expect(counts.skipped).toHaveLength(1);
    expect(counts.skipped[0]).toContain('kernels no driver');
  });

  it('as failed when a file cannot be loaded, a report is missing, or the end was bad', () => {
    expect(countVitest('unit', { testResults: [file('failed')] }, 1).failed).toBe(1);
    expect(countVitest('unit', undefined, 1)).toEqual({ passed: 0, failed: 1, skipped: [] });
    expect(countVitest('unit', undefined, 0).failed).toBe(1);
    expect(countVitest('unit', { testResults: [file('passed', test('passed'))] }, 1)).toMatchObject({
      passed: 1,
      failed: 1,
    });
  });

  it('through nested suites of the browser tests', () => {
    const spec = (title: string, status: string, annotations: object[] = []) => ({
      title,
      tests: [{ status, annotations }],
    });
    const inner = {
      specs: [
        spec('flaky counts as passed', 'flaky'),
        spec('no model', 'skipped', [{ type: 'skip', description: 'SHOAL_TEST_MODELS is not set' }]),
      ],
    };
    const report = { suites: [{ specs: [spec('a', 'expected'), spec('b', 'unexpected')], suites: [inner] }] };
    expect(countPlaywright('e2e', report, 1)).toEqual({
      passed: 2,
      failed: 1,
      skipped: ['e2e: no model: SHOAL_TEST_MODELS is not set'],
    });
  });
});
