import type { DeviceReport } from '../../worker/api.ts';

const NAME = 'shoal-device-name';
const WINDOW_LOCK = 'shoal-window:';
const MOST_WINDOWS = 16;
/** As the room's members cut it. */
export const MAX_NAME_CHARACTERS = 40;

type Platform = DeviceReport['platform'];

/** The part of Web Locks that is used. */
export interface WindowLocks {
  request(
    name: string,
    options: { readonly ifAvailable: boolean },
    callback: (lock: unknown) => Promise<void> | undefined,
  ): Promise<unknown>;
}

/** What a device may be called before its person says so; never more than the browser tells. */
export function plainName(platform: Platform | undefined, userAgent: string): string {
  switch (platform) {
    case 'iphone':
      return 'iPhone';
    case 'ipad':
      return 'iPad';
    case 'android':
      return /Mobile/.test(userAgent) ? 'Android phone' : 'Android tablet';
    case 'mac':
      return isSafari(userAgent) ? 'Mac' : `${browserName(userAgent)} on the Mac`;
    case 'windows':
      return `${browserName(userAgent)} on Windows`;
    case 'linux':
      return `${browserName(userAgent)} on Linux`;
    default:
      return browserName(userAgent);
  }
}

/** Two windows of one computer are two devices, and are told apart by their names. */
export function withWindow(name: string, window: number): string {
  return window === 1 ? name : `${name} (${window})`;
}

/** Which of this browser's open windows this is, from 1: the lowest number that no other has. */
export async function windowNumber(locks: WindowLocks | undefined): Promise<number> {
  if (!locks) return 1;
  for (let number = 1; number <= MOST_WINDOWS; number++) {
    const isFree = await new Promise<boolean>((resolve) => {
      locks
        .request(WINDOW_LOCK + number, { ifAvailable: true }, (lock) => {
          resolve(lock !== null);
          // held for as long as the window is open
          return lock === null ? undefined : new Promise<void>(() => {});
        })
        .catch(() => resolve(true));
    });
    if (isFree) return number;
  }
  return 1;
}

export function readName(kept: Pick<Storage, 'getItem'> | undefined): string | undefined {
  return kept?.getItem(NAME) ?? undefined;
}

export function keepName(kept: Pick<Storage, 'setItem'> | undefined, name: string): void {
  try {
    kept?.setItem(NAME, name);
  } catch {
    // Full: it is suggested anew next time.
  }
}

function isSafari(userAgent: string): boolean {
  return browserName(userAgent) === 'Safari';
}

function browserName(userAgent: string): string {
  if (/Edg\//.test(userAgent)) return 'Edge';
  if (/Firefox\//.test(userAgent)) return 'Firefox';
  if (/OPR\//.test(userAgent)) return 'Opera';
  if (/Chrom(e|ium)\//.test(userAgent)) return 'Chrome';
  return /Safari\//.test(userAgent) ? 'Safari' : 'Browser';
}
