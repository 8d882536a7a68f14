// @ts-check
import path from 'node:path';
import { repositoryFolder } from './cache.mjs';

/**
 * @typedef {{ passed: number, failed: number, skipped: string[] }} Counts each skipped check with its reason
 */

/**
 * Counts a report of Vitest's json reporter. A run that ended badly without a failed test (no report, an error outside
 * of the tests, no tests) counts as one failure.
 * @param {string} step
 * @param {any} report undefined where none was written
 * @param {number} exitCode
 * @returns {Counts}
 */
export function countVitest(step, report, exitCode) {
  /** @type {Counts} */
  const counts = { passed: 0, failed: 0, skipped: [] };
  for (const file of report?.testResults ?? []) {
    const name = path.relative(repositoryFolder, file.name);
    for (const test of file.assertionResults) {
      if (test.status === 'passed') counts.passed++;
      else if (test.status === 'failed') counts.failed++;
      // by convention the name of a test that can be skipped ends with the reason
      else counts.skipped.push(`${step}: ${name}: ${test.fullName.trim()}`);
    }
    // a file that could not be loaded has no tests
    if (
      file.status === 'failed' &&
      !file.assertionResults.some((/** @type {any} */ test) => test.status === 'failed')
    ) {
      counts.failed++;
    }
  }
  return withExitCode(counts, exitCode);
}

/**
 * Counts a report of Playwright's json reporter, by the same rule.
 * @param {string} step
 * @param {any} report
 * @param {number} exitCode
 * @returns {Counts}
 */
export function countPlaywright(step, report, exitCode) {
  /** @type {Counts} */
  const counts = { passed: 0, failed: 0, skipped: [] };
  /** @param {any} suite */
  const visit = (suite) => {
    for (const inner of suite.suites ?? []) visit(inner);
    for (const spec of suite.specs ?? []) {
      for (const test of spec.tests) {
        if (test.status === 'skipped') {
          const reason = test.annotations?.find((/** @type {any} */ one) => one.type === 'skip')?.description;
          counts.skipped.push(`${step}: ${spec.title}${reason ? `: ${reason}` : ''}`);
        } else if (test.status === 'unexpected') counts.failed++;
        else counts.passed++;
      }
    }
  };
  for (const suite of report?.suites ?? []) visit(suite);
  return withExitCode(counts, exitCode);
}

/**
 * @param {Counts} counts
 * @param {number} exitCode
 */
function withExitCode(counts, exitCode) {
  const nothingRan = counts.passed + counts.failed + counts.skipped.length === 0;
  if ((exitCode !== 0 && counts.failed === 0) || nothingRan) counts.failed++;
  return counts;
}
