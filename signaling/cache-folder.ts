import os from 'node:os';
import path from 'node:path';

/** Where this platform keeps what a program can fetch again; SHOAL_CACHE overrides. */
export function cacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (environment.SHOAL_CACHE) return path.resolve(environment.SHOAL_CACHE);
  const home = os.homedir();
  if (platform === 'darwin') return path.join(home, 'Library/Caches/shoal');
  if (platform === 'win32') return path.join(environment.LOCALAPPDATA ?? path.join(home, 'AppData/Local'), 'shoal');
  return path.join(environment.XDG_CACHE_HOME || path.join(home, '.cache'), 'shoal');
}
