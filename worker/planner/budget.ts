import type { DeviceReport } from '../api.ts';

const GIB = 1024 ** 3;
/** A phone's tab is ended near 1.5 GB, GPU included. */
const PHONE_BYTES = 1.0 * GIB;
const TABLET_BYTES = 2 * GIB;
/** Share of the machine's memory that models may take by default. */
const SHARE = 0.5;
/** Safari and Firefox do not tell the memory: what every Mac with Safari 26 has at least. */
const UNKNOWN_MEMORY_GIB = 8;

export interface BudgetFacts {
  readonly platform: DeviceReport['platform'];
  /** `navigator.deviceMemory`, GiB: at most 8 (32 in newer Chrome), absent in Safari and Firefox. */
  readonly deviceMemoryGiB: number | undefined;
  /** The adapter's largest buffer: small ones tell of small memory. */
  readonly maxBufferBytes: number;
}

/** Memory that models may take on a device, and the most a person may set it to. */
export function deviceBudget(facts: BudgetFacts): { readonly defaultBytes: number; readonly maxBytes: number } {
  const { platform } = facts;
  const memory = (facts.deviceMemoryGiB ?? (platform === 'android' ? 2 : UNKNOWN_MEMORY_GIB)) * GIB;
  if (platform === 'iphone') return { defaultBytes: PHONE_BYTES, maxBytes: 1.5 * PHONE_BYTES };
  if (platform === 'android')
    return { defaultBytes: Math.min(PHONE_BYTES, memory * SHARE), maxBytes: Math.max(PHONE_BYTES, memory * SHARE) };
  if (platform === 'ipad')
    return { defaultBytes: Math.min(TABLET_BYTES, facts.maxBufferBytes * 2), maxBytes: 2 * TABLET_BYTES };
  return { defaultBytes: memory * SHARE, maxBytes: memory >= 8 * GIB ? 64 * GIB : memory };
}

/** What the browser says it runs on. iPadOS calls itself a Mac; only its touch points tell. */
export function detectPlatform(facts: {
  readonly userAgent: string;
  readonly maxTouchPoints: number;
}): DeviceReport['platform'] {
  const { userAgent, maxTouchPoints } = facts;
  if (/iPhone|iPod/.test(userAgent)) return 'iphone';
  if (/iPad/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1)) return 'ipad';
  if (/Android/.test(userAgent)) return 'android';
  if (/Macintosh/.test(userAgent)) return 'mac';
  if (/Windows/.test(userAgent)) return 'windows';
  return /Linux|CrOS/.test(userAgent) ? 'linux' : 'other';
}
