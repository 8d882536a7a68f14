import type { RopeSpec } from './spec.ts';

/**
 * Cosines and sines for every position below `positions`: pairs (cos, sin), [position][dims/2][2] f32, computed in
 * float64. A table, since WGSL promises little of sin and cos at large arguments.
 * @param factors divides each frequency (Llama 3.1's `rope_freqs.weight`)
 */
export function ropeTable(
  rope: RopeSpec,
  positions: number,
  factors: Float32Array | undefined,
): Float32Array<ArrayBuffer> {
  const half = rope.dims / 2;
  const table = new Float32Array(positions * half * 2);
  for (let i = 0; i < half; i++) {
    const frequency = rope.theta ** ((-2 * i) / rope.dims) / (factors?.[i] ?? 1) / rope.linearFactor;
    for (let position = 0; position < positions; position++) {
      const at = (position * half + i) * 2;
      table[at] = Math.cos(position * frequency);
      table[at + 1] = Math.sin(position * frequency);
    }
  }
  return table;
}
