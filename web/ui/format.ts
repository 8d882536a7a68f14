/** Figures as people read them: decimal units, a space before the unit, tabular digits. English only, so far. */
import { bytesInWords } from '../../worker/bytes-in-words.ts';

export { bytesInWords as bytes } from '../../worker/bytes-in-words.ts';

const KB = 1e3;
const MB = 1e6;
const GB = 1e9;
const MINUTE = 60;
const HOUR = 3600;

/** 1234567 as `1,234,567`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Memory and free space, where one decimal is enough: `4.2 GB`, `300 MB`. */
export function roughBytes(value: number): string {
  if (value >= 19.5 * GB) return `${Math.round(value / GB)} GB`;
  if (value >= 0.95 * GB) return `${(value / GB).toFixed(1)} GB`;
  return `${Math.round(value / MB)} MB`;
}

/** Two amounts in one unit, that of the whole: `1.24 of 2.50 GB`. */
export function bytesOf(done: number, total: number): string {
  const whole = bytesInWords(total);
  const unit = whole.slice(-2);
  const digits = (whole.split('.')[1] ?? '').replace(/\D/g, '').length;
  const scale = unit === 'GB' ? GB : unit === 'MB' ? MB : KB;
  return `${(Math.min(done, total) / scale).toFixed(digits)} of ${whole}`;
}

/** `11.8 MB/s`, `640 KB/s`. */
export function rate(bytesPerSecond: number): string {
  if (bytesPerSecond >= 99.5 * MB) return `${Math.round(bytesPerSecond / MB)} MB/s`;
  if (bytesPerSecond >= 0.95 * MB) return `${(bytesPerSecond / MB).toFixed(1)} MB/s`;
  return `${Math.round(bytesPerSecond / KB)} KB/s`;
}

/** `42 s`, `1 min 47 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) {
    const rest = whole % MINUTE;
    return rest === 0 ? `${whole / MINUTE} min` : `${Math.floor(whole / MINUTE)} min ${rest} s`;
  }
  const minutes = Math.round((whole % HOUR) / MINUTE);
  const hours = Math.floor(whole / HOUR) + (minutes === MINUTE ? 1 : 0);
  return minutes % MINUTE === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
}

/** Short spans with a decimal below ten seconds: `1.3 s`, `24 s`. */
export function seconds(ms: number): string {
  if (ms < 950) return `${Math.round(ms / 10) / 100} s`;
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : duration(ms / 1000);
}

/** `12.9` below a hundred, `140` above. */
export function speed(tokensPerSecond: number): string {
  return tokensPerSecond < 99.95 ? tokensPerSecond.toFixed(1) : String(Math.round(tokensPerSecond));
}

/** The line under a download: bytes of bytes, then rate and time left where they are known. */
export function progressLine(progress: {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond?: number | undefined;
  readonly secondsLeft?: number | undefined;
}): string {
  const parts = [bytesOf(progress.doneBytes, progress.totalBytes)];
  if (progress.bytesPerSecond !== undefined) parts.push(rate(progress.bytesPerSecond));
  if (progress.secondsLeft !== undefined) parts.push(`${duration(progress.secondsLeft)} left`);
  return parts.join(', ');
}

/** `260,000`, `135 million`, `1.7 billion`. */
export function parameters(value: number): string {
  if (value >= 999.5e6) return `${(value / 1e9).toFixed(value >= 9.95e9 ? 0 : 1).replace(/\.0$/, '')} billion`;
  if (value >= 999_500) return `${Math.round(value / 1e6)} million`;
  return value < 1000 ? count(value) : count(Math.round(value / 1000) * 1000);
}

export function percent(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(100, Math.max(0, Math.round((part / whole) * 100)));
}

/** A figure that stays on one line with its unit. */
export function unbroken(figure: string): string {
  return figure.replaceAll(' ', '\u00a0');
}
