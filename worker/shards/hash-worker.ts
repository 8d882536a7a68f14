/** The script of a worker that computes SHA-256, beside the one that reads. */
import type { HashReply, HashRequest } from './hashing.ts';

addEventListener('message', async ({ data }: MessageEvent<HashRequest>) => {
  const { id, bytes } = data;
  const sha256 = await crypto.subtle.digest('SHA-256', bytes).catch(() => undefined);
  const reply: HashReply = { kind: 'hashed', id, bytes, sha256 };
  postMessage(reply, { transfer: [bytes.buffer] });
});
const ready: HashReply = { kind: 'ready' };
postMessage(ready);
