import { describe, expect, it } from 'vitest';
import { countLoads } from './count-loads.ts';

const HEAD = `alias S4 = vec4<f16>;
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> x: array<S4>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // not quants
`;

describe('counting loads', () => {
  it('counts each load by an index, nested ones too, and leaves the rest', () => {
    const { source, countsBinding } = countLoads(
      `${HEAD}fn f(i: u32) -> u32 { return quants[quants[i].x + 1u].yx + arrayLength(&quants) + x[i * (2u)]; }`,
      [0, 1],
    );
    expect(source).toContain('quants[counted_0(quants[counted_0(i, 4u)].x + 1u, 16u)].yx + arrayLength(&quants)');
    expect(source).toContain('x[counted_1(i * (2u), 8u)]');
    expect(countsBinding).toBe(3);
  });

  it('counts no store', () => {
    const { source } = countLoads(`${HEAD}fn f() { y[0] = 1.0; y[1] += y[2]; if y[3] == 0.0 { y[4] = 2.0; } }`, [2]);
    expect(source).toContain(
      'y[0] = 1.0; y[counted_0(1, 4u)] += y[counted_0(2, 4u)]; if y[counted_0(3, 4u)] == 0.0 { y[4] = 2.0; }',
    );
  });

  it('knows a parameter of the same name for another thing', () => {
    const { source } = countLoads(
      `${HEAD}fn f(@builtin(position) p: vec4f, y: vec2f) -> f32 { return y.x + y[1]; } fn g() -> f32 { return y[1]; }`,
      [2],
    );
    expect(source).toContain('y_parameter: vec2f) -> f32 { return y_parameter.x + y_parameter[1]; }');
    expect(source).toContain('fn g() -> f32 { return y[counted_0(1, 4u)]; }');
  });

  it('refuses what it cannot follow', () => {
    expect(() => countLoads(`${HEAD}fn f() { let p = &quants; }`, [0])).toThrow('let p = &quants');
    expect(() => countLoads(`${HEAD}fn f() { let quants = 1; }`, [0])).toThrow('without an index');
    expect(() => countLoads(HEAD, [7])).toThrow('Binding 7');
  });
});
