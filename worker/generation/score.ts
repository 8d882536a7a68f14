import { padded, STEP_WORDS, type StepRow, writeStep } from '../gpu/step.ts';
import type { Stage } from '../models/stage.ts';
import { bucketFor } from './chunks.ts';

/**
 * Raw logits at every position of `tokens`, teacher-forced, in slot 0 of a stage that holds a whole model and runs
 * nothing else. Steps take `chunk` rows (at most the stage's logit rows), so that each kernel variant can be scored.
 * @returns one f32 array of the vocabulary's size a position
 */
export async function scoreTokens(stage: Stage, tokens: readonly number[], chunk: number): Promise<Float32Array[]> {
  const { gpu, spec, plan } = stage;
  const { device } = gpu;
  const words = new Uint32Array(STEP_WORDS);
  const stride = padded(spec.vocabulary);
  device.queue.writeBuffer(
    stage.buffer('pages'),
    0,
    Uint32Array.from({ length: plan.pagesPerSlot }, (_, i) => i),
  );
  const readback = device.createBuffer({
    size: chunk * stride * 4,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const logits: Float32Array[] = [];
  try {
    for (let first = 0; first < tokens.length; first += chunk) {
      const rows: StepRow[] = tokens.slice(first, first + chunk).map((token, i) => ({
        token,
        position: first + i,
        slot: 0,
        fromSampled: false,
        wantsLogits: true,
      }));
      const bucket = bucketFor(rows.length);
      writeStep(words, rows, bucket);
      device.queue.writeBuffer(stage.buffer('step'), 0, words);
      await stage.prepare(bucket, bucket);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      stage.program(bucket, bucket).encode(pass);
      pass.end();
      encoder.copyBufferToBuffer(stage.buffer('logits'), 0, readback, 0, rows.length * stride * 4);
      device.queue.submit([encoder.finish()]);
      await readback.mapAsync(GPUMapMode.READ);
      gpu.check();
      const all = new Float32Array(readback.getMappedRange());
      for (let i = 0; i < rows.length; i++) logits.push(all.slice(i * stride, i * stride + spec.vocabulary));
      readback.unmap();
    }
  } finally {
    readback.destroy();
  }
  return logits;
}
