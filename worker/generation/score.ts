import { MAX_LOGIT_ROWS, padded, STEP_WORDS, type StepRow, writeStep } from '../gpu/step.ts';
import type { Stage } from '../models/stage.ts';
import { bucketFor } from './chunks.ts';

/**
 * Raw logits at every position of `tokens`, teacher-forced, in slot 0 of a stage that holds a whole model and runs
 * nothing else. Steps take `chunk` rows, so that each kernel variant can be scored; a step of more rows than may want
 * logits at once is run again for the next ones, and writes the same keys and values again.
 * @returns one f32 array of the vocabulary's size a position
 */
export async function scoreTokens(stage: Stage, tokens: readonly number[], chunk: number): Promise<Float32Array[]> {
  const { gpu, spec, plan } = stage;
  const { device } = gpu;
  const words = new Uint32Array(STEP_WORDS);
  const rowBytes = padded(spec.vocabulary) * 4;
  const logitRows = Math.min(MAX_LOGIT_ROWS, Math.floor(stage.buffer('logits').size / rowBytes));
  device.queue.writeBuffer(
    stage.buffer('pages'),
    0,
    Uint32Array.from({ length: plan.pagesPerSlot }, (_, i) => i),
  );
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const readback = device.createBuffer({ size: logitRows * rowBytes, usage });
  const logits: Float32Array[] = [];
  try {
    for (let first = 0; first < tokens.length; first += chunk) {
      const part = tokens.slice(first, first + chunk);
      for (let wanted = 0; wanted < part.length; wanted += logitRows) {
        const count = Math.min(logitRows, part.length - wanted);
        const rows: StepRow[] = part.map((token, i) => ({
          token,
          position: first + i,
          slot: 0,
          fromSampled: false,
          wantsLogits: i >= wanted && i < wanted + count,
        }));
        const buckets = [bucketFor(rows.length), bucketFor(count)] as const;
        writeStep(words, rows, buckets[0]);
        device.queue.writeBuffer(stage.buffer('step'), 0, words);
        await stage.prepare(...buckets);
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        stage.program(...buckets).encode(pass);
        pass.end();
        encoder.copyBufferToBuffer(stage.buffer('logits'), 0, readback, 0, count * rowBytes);
        device.queue.submit([encoder.finish()]);
        await readback.mapAsync(GPUMapMode.READ);
        gpu.check();
        const all = new Float32Array(readback.getMappedRange());
        for (let i = 0; i < count; i++) {
          const start = (i * rowBytes) / 4;
          logits.push(all.slice(start, start + spec.vocabulary));
        }
        readback.unmap();
      }
    }
  } finally {
    readback.destroy();
  }
  return logits;
}
