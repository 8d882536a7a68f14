import { measureSpeeds } from './kernels/speed.ts';
import type { BenchOptions } from './run.mjs';

export const about = 'tokens a second of an answer, and how near that is to reading the weights and nothing else';
export const needs = ['chromium'] as const;

const AMOUNTS = { gpu: [256, 65], software: [16, 5] } as const;

export async function run(options: BenchOptions): Promise<Record<string, unknown>> {
  const { machine, shoal, onnx, ...amounts } = await measureSpeeds(options, AMOUNTS);
  return {
    tokensPerSecond: 1000 / shoal.tokenMs,
    shareOfPlainRead: shoal.plainReadMs / shoal.tokenMs,
    onnxRuntimeWeb: 'skipped' in onnx ? onnx : { version: onnx.version, tokensPerSecond: 1000 / onnx.tokenMs },
    plainReadGBPerSecond: shoal.weightBytes / shoal.plainReadMs / 1e6,
    weightBytesPerToken: shoal.weightBytes,
    ...amounts,
    ...machine,
  };
}
