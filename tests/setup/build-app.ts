import { ensureBuilt } from '../../signaling/build.mjs';
import { repositoryFolder } from './cache.mjs';

/** Playwright's global set-up: the app that the pages open is the one of these sources. */
export default async function buildApp(): Promise<void> {
  await ensureBuilt(repositoryFolder);
}
