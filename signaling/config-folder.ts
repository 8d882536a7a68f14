import os from 'node:os';
import path from 'node:path';

/** Where this platform keeps what a program cannot fetch again; SHOAL_CONFIG overrides. */
export function configFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (environment.SHOAL_CONFIG) return path.resolve(environment.SHOAL_CONFIG);
  const home = os.homedir();
  if (platform === 'darwin') return path.join(home, 'Library/Application Support/shoal');
  if (platform === 'win32') return path.join(environment.APPDATA ?? path.join(home, 'AppData/Roaming'), 'shoal');
  return path.join(environment.XDG_CONFIG_HOME || path.join(home, '.config'), 'shoal');
}
