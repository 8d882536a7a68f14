/** Every WGSL file of this folder by its path without ending: `rms_norm`, `formats/q4_k`, `parts/step`. */
const files = import.meta.glob<string>('./**/*.wgsl', { query: '?raw', import: 'default', eager: true });

export const SHADERS: ReadonlyMap<string, string> = new Map(
  Object.entries(files).map(([path, source]) => [path.slice('./'.length, -'.wgsl'.length), source]),
);
