import path from 'node:path';
import { parseArgs } from 'node:util';
import { LlamaReference } from '../reference/llama.ts';
import { cachedF32Twin } from '../reference/to-f32.ts';
import { type Comparison, failuresOf, type Storage, TOLERANCES } from './compare.ts';
import { type Measured, measure } from './conform.ts';
import { FAMILIES } from './families.ts';
import { ENCODINGS, Matrix } from './matrix.ts';
import { MUTATIONS } from './mutations.ts';
import { textSequences } from './sequences.ts';
import { Shoal } from './shoal.ts';

const HELP = `npm run conformance -- [--json]                 every family, type and storage, and the mutation run
npm run conformance -- --model FILE [--json]    a GGUF file of this machine`;

/** Compares Shoal with llama.cpp; the exit code is 1 where something is out of tolerance. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { model: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  return values.model ? modelMain(path.resolve(values.model), values.json ?? false) : matrixMain(values.json ?? false);
}

async function modelMain(model: string, json: boolean): Promise<number> {
  const shoal = await Shoal.start();
  if ('skipped' in shoal) return skipped(shoal.skipped);
  const reference = await LlamaReference.start();
  if ('skipped' in reference) return skipped(reference.skipped);
  try {
    await reference.open(await cachedF32Twin(model));
    const measured = await measure(shoal, model, reference, await textSequences((text) => reference.tokenize(text)));
    if (!json) for (const line of linesOf(measured)) console.log(line);
    const { f32, f16 } = measured;
    console.log(
      JSON.stringify({
        klF32: f32?.kl ?? null,
        klF16: f16?.kl ?? null,
        logitErrorF32: f32?.logitError ?? null,
        logitErrorF16: f16?.logitError ?? null,
        greedyAgreement: f32?.greedyAgreement ?? null,
        positions: f32?.positions ?? null,
      }),
    );
    return conforms(measured) ? 0 : 1;
  } finally {
    shoal.close();
    await reference.close();
  }
}

async function matrixMain(json: boolean): Promise<number> {
  const matrix = await Matrix.open();
  if ('skipped' in matrix) return skipped(matrix.skipped);
  const started = performance.now();
  const worst = { klF32: 0, klF16: 0, logitErrorF32: 0, logitErrorF16: 0 };
  let failed = 0;
  let unseen = 0;
  // the last line of standard output is the result; who waits for it sees the rest too
  const log = json ? console.error : console.log;
  try {
    for (const family of FAMILIES) {
      for (const encoding of ENCODINGS) {
        const measured = await matrix.compare(family, encoding);
        const { f32, f16 } = measured;
        if (!conforms(measured)) failed++;
        worst.klF32 = Math.max(worst.klF32, f32?.kl ?? 0);
        worst.klF16 = Math.max(worst.klF16, f16?.kl ?? 0);
        worst.logitErrorF32 = Math.max(worst.logitErrorF32, f32?.logitError ?? 0);
        worst.logitErrorF16 = Math.max(worst.logitErrorF16, f16?.logitError ?? 0);
        for (const line of linesOf(measured)) log(`${family.name.padEnd(10)} ${encoding.padEnd(7)} ${line}`);
      }
      const applicable = MUTATIONS.filter((mutation) => mutation.appliesTo(family, family.size));
      for (const [mutation, comparison] of await matrix.compareMutated(family, applicable)) {
        const isSeen = failuresOf(comparison, TOLERANCES.f32).length > 0;
        if (!isSeen) unseen++;
        const verdict = isSeen ? 'seen' : 'NOT SEEN';
        log(`${family.name.padEnd(10)} ${mutation.name.padEnd(22)} KL ${comparison.kl.toExponential(1)}  ${verdict}`);
      }
    }
  } finally {
    await matrix.close();
  }
  const checkpoints = FAMILIES.length * ENCODINGS.length;
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(JSON.stringify({ checkpoints, failed, mutationsNotSeen: unseen, ...worst, seconds }));
  return failed + unseen === 0 ? 0 : 1;
}

function skipped(reason: string): number {
  console.error(`skipped: ${reason}`);
  return 1;
}

function conforms(measured: Measured): boolean {
  return entriesOf(measured).every(([storage, comparison]) => failuresOf(comparison, TOLERANCES[storage]).length === 0);
}

function entriesOf(measured: Measured): [Storage, Comparison][] {
  return Object.entries(measured) as [Storage, Comparison][];
}

function linesOf(measured: Measured): string[] {
  return entriesOf(measured).map(([storage, comparison]) => {
    const { kl, logitError, greedyAgreement, decided, positions } = comparison;
    const failures = failuresOf(comparison, TOLERANCES[storage]);
    const greedy = `${(greedyAgreement * 100).toFixed(1)} % of ${decided}/${positions}`;
    const verdict = failures.length === 0 ? 'conforms' : `FAILS: ${failures.join('; ')}`;
    return `${storage}  KL ${kl.toExponential(1)}  logits ${logitError.toExponential(1)}  greedy ${greedy}  ${verdict}`;
  });
}
