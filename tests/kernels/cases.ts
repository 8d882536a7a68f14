import type { Environment, KernelCase } from './harness.ts';

const modules = import.meta.glob<{ readonly cases: readonly KernelCase[] }>('./cases/*.ts', { eager: true });

/** Every case of tests/kernels/cases/, its file's name before its own. */
export function casesFor(environment: Environment): readonly KernelCase[] {
  return Object.entries(modules).flatMap(([path, { cases }]) =>
    cases
      .filter(({ environments }) => environments?.includes(environment) ?? true)
      .map((kernelCase) => ({
        ...kernelCase,
        name: `${path.slice('./cases/'.length, -'.ts'.length)}: ${kernelCase.name}`,
      })),
  );
}
