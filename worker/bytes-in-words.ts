const KB = 1e3;
const MB = 1e6;
const GB = 1e9;

/** Bytes in the unit that suits them, decimal: `2.50 GB`, `98 MB`, `12 KB`. The page and its worker write them alike. */
export function bytesInWords(value: number): string {
  if (value >= 9.995 * GB) return `${(value / GB).toFixed(1)} GB`;
  if (value >= 0.9995 * GB) return `${(value / GB).toFixed(2)} GB`;
  if (value >= 9.95 * MB) return `${Math.round(value / MB)} MB`;
  if (value >= 0.95 * MB) return `${(value / MB).toFixed(1)} MB`;
  return `${Math.round(Math.max(0, value) / KB)} KB`;
}
