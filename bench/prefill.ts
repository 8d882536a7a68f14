import { measureSpeeds } from './kernels/speed.ts';
import type { BenchOptions } from './run.mjs';

export const about = 'tokens a second of a prompt, and the time in which its chunks could have read the weights';
export const needs = ['chromium'] as const;

const AMOUNTS = { gpu: [512, 2], software: [64, 2] } as const;

export async function run(options: BenchOptions): Promise<Record<string, unknown>> {
  const { machine, promptTokens, shoal, onnx } = await measureSpeeds(options, AMOUNTS);
  const tokensPerSecond = (promptMs: number) => (promptTokens / promptMs) * 1000;
  const reads = shoal.chunks - ((shoal.chunks - 1) * shoal.headBytes) / shoal.weightBytes;
  return {
    tokensPerSecond: tokensPerSecond(shoal.promptMs),
    shareOfPlainRead: (shoal.plainReadMs * reads) / shoal.promptMs,
    onnxRuntimeWeb:
      'skipped' in onnx ? onnx : { version: onnx.version, tokensPerSecond: tokensPerSecond(onnx.promptMs) },
    plainReadGBPerSecond: shoal.weightBytes / shoal.plainReadMs / 1e6,
    weightBytesPerChunk: shoal.weightBytes,
    chunks: shoal.chunks,
    promptTokens,
    ...machine,
  };
}
