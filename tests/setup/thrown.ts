import { expect } from 'vitest';

/** What the work fails with; the test fails where it does not, or with an error of another class. */
export async function thrown<T>(
  work: Promise<unknown>,
  // biome-ignore lint/suspicious/noExplicitAny: any constructor
  kind: abstract new (...args: any[]) => T,
): Promise<T> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(kind);
  return error as T;
}
