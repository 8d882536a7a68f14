/** What kernel cases are written with. It runs in Node and in a page: no Node module here. */
import type { Gpu } from '../../worker/gpu/device.ts';
import { type Dispatch, Program } from '../../worker/gpu/program.ts';
import { fromHalf, toHalf } from './half.ts';
import { Random } from './random.ts';

export { fromHalf, toHalf } from './half.ts';
export { Random } from './random.ts';

/**
 * Where cases run: `driver` is the machine's Vulkan, Metal or D3D12 driver through Dawn in Node (lavapipe without a
 * GPU), `safari` and `android` the same behind a device that enforces their limits, `null` Dawn's backend that
 * validates and computes nothing, `page` Chromium's WebGPU on SwiftShader.
 */
export type Environment = 'driver' | 'safari' | 'android' | 'null' | 'page';

/** One promise of a kernel. `run` throws, with figures, when it does not hold. */
export interface KernelCase {
  readonly name: string;
  /** Where it runs; everywhere when not given. */
  readonly environments?: readonly Environment[];
  run(gpu: Gpu, random: Random): Promise<void>;
}

/** How numbers lie in a buffer; `storage` is the f16 or f32 that the Gpu stores activations in. */
export type ElementType = 'f32' | 'storage' | 'u32';

const unmeasured = new WeakSet<Gpu>();

/** Says that a Gpu computes nothing (Dawn's null backend): `expect…` then compare nothing. */
export function expectNothing(gpu: Gpu): void {
  unmeasured.add(gpu);
}

/** Runs one case and throws whatever it found, including errors that the device only reported. */
export async function runCase(kernelCase: KernelCase, gpu: Gpu): Promise<void> {
  try {
    await kernelCase.run(gpu, new Random(kernelCase.name));
    await gpu.device.queue.onSubmittedWorkDone();
    gpu.check();
  } finally {
    if (gpu.failed === undefined) gpu.ledger.freeAll();
  }
}

const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = { STORAGE: 0x80, UNIFORM: 0x40, COPY_SRC: 0x4, COPY_DST: 0x8 };

/** A buffer with the bytes of `data`, for a storage or a uniform binding. */
export function upload(gpu: Gpu, data: ArrayBufferView<ArrayBuffer>, label = 'input'): GPUBuffer {
  const bytes = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const buffer = gpu.ledger.buffer(label, bytes.byteLength, 'scratch', STORAGE | UNIFORM | COPY_SRC | COPY_DST);
  gpu.device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}

/** Activations in the Gpu's storage type, and the values that they were rounded to. */
export function uploadStorage(
  gpu: Gpu,
  values: Float32Array,
  label = 'activations',
): { readonly buffer: GPUBuffer; readonly values: Float32Array<ArrayBuffer> } {
  if (gpu.storage === 'f32') {
    const copy = Float32Array.from(values);
    return { buffer: upload(gpu, copy, label), values: copy };
  }
  const halves = Uint16Array.from(values, toHalf);
  return { buffer: upload(gpu, halves, label), values: Float32Array.from(halves, fromHalf) };
}

/**
 * Rows of `cols` values at a stride of `stride` columns, zeros between: how activations lie. Without `stride` columns
 * beyond the real ones nothing is added.
 */
export function spread(values: Float32Array, cols: number, stride: number): Float32Array<ArrayBuffer> {
  const rows = values.length / cols;
  const out = new Float32Array(rows * stride);
  for (let row = 0; row < rows; row++) out.set(values.subarray(row * cols, (row + 1) * cols), row * stride);
  return out;
}

/** A buffer of `count` elements full of NaN (all bits set), so that what a kernel does not write is seen. */
export function poisoned(gpu: Gpu, count: number, type: ElementType, label = 'output'): GPUBuffer {
  return upload(gpu, new Uint8Array(count * bytesOf(gpu, type)).fill(0xff), label);
}

export function bytesOf(gpu: Gpu, type: ElementType): number {
  return type === 'storage' && gpu.storage === 'f16' ? 2 : 4;
}

/** Bytes of a buffer from its start. */
export async function readBytes(gpu: Gpu, buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
  const size = Math.ceil(bytes / 4) * 4;
  const staging = gpu.device.createBuffer({ size, usage: 0x1 | COPY_DST }); // MAP_READ
  const encoder = gpu.device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
  gpu.device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1); // GPUMapMode.READ
  const copy = staging.getMappedRange().slice(0, bytes);
  staging.destroy();
  return copy;
}

export async function readFloats(
  gpu: Gpu,
  buffer: GPUBuffer,
  count: number,
  type: 'f32' | 'storage',
): Promise<Float32Array<ArrayBuffer>> {
  const bytes = await readBytes(gpu, buffer, count * bytesOf(gpu, type));
  if (bytesOf(gpu, type) === 4) return new Float32Array(bytes);
  return Float32Array.from(new Uint16Array(bytes), fromHalf);
}

export async function readWords(gpu: Gpu, buffer: GPUBuffer, count: number): Promise<Uint32Array<ArrayBuffer>> {
  return new Uint32Array(await readBytes(gpu, buffer, count * 4));
}

/** Compiles what the dispatches need and runs them once, in one pass. */
export async function execute(gpu: Gpu, dispatches: readonly Dispatch[]): Promise<void> {
  const program = new Program(gpu.device, dispatches);
  await program.ready();
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  program.encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
}

export interface Tolerance {
  /** Largest allowed |actual - expected| as a share of |expected| … */
  readonly relative?: number;
  /** … plus this; or for sums, a share of the root mean square of all that is expected. */
  readonly absolute?: number;
  readonly ofRms?: number;
}

/** Compares with a reference computed in float64; NaN never passes. */
export function expectClose(
  gpu: Gpu,
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
): void {
  if (unmeasured.has(gpu)) return;
  if (actual.length !== expected.length) {
    throw new Error(`${what}: ${actual.length} values instead of ${expected.length}`);
  }
  let squares = 0;
  for (let i = 0; i < expected.length; i++) squares += (expected[i] ?? 0) ** 2;
  const base = (tolerance.absolute ?? 0) + (tolerance.ofRms ?? 0) * Math.sqrt(squares / Math.max(1, expected.length));
  let worst = -1;
  let worstExcess = 0;
  let wrong = 0;
  for (let i = 0; i < expected.length; i++) {
    const want = expected[i] ?? Number.NaN;
    const got = actual[i] ?? Number.NaN;
    const allowed = base + (tolerance.relative ?? 0) * Math.abs(want);
    if (got === want || Math.abs(got - want) <= allowed) continue;
    wrong++;
    const excess = Number.isNaN(got) ? Infinity : Math.abs(got - want) - allowed;
    if (worst < 0 || excess > worstExcess) [worst, worstExcess] = [i, excess];
  }
  if (wrong > 0) {
    const allowed = base + (tolerance.relative ?? 0) * Math.abs(expected[worst] ?? 0);
    throw new Error(
      `${what}: ${wrong} of ${expected.length} values are off; worst at ${worst}: ` +
        `${actual[worst]} instead of ${expected[worst]} (allowed difference ${allowed.toExponential(2)})`,
    );
  }
}

/** Compares exactly (0 equals -0; a NaN never passes). */
export function expectEqual(gpu: Gpu, what: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expectClose(gpu, what, actual, expected, {});
}

/** Fails with `message` unless `holds`; for promises that are no comparison of arrays. */
export function expectTrue(gpu: Gpu, holds: boolean, message: string): void {
  if (!holds && !unmeasured.has(gpu)) throw new Error(message);
}
