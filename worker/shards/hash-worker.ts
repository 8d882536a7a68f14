/** The script of a worker that hashes shards, beside the one that reads. */
import { shardDigest } from './digest.ts';
import type { HashReply, HashRequest } from './hashing.ts';

addEventListener('message', async ({ data }: MessageEvent<HashRequest>) => {
  const { id, bytes } = data;
  const digest = await shardDigest(bytes).catch(() => undefined);
  const reply: HashReply = { kind: 'hashed', id, bytes, sha256: digest?.buffer };
  postMessage(reply, { transfer: [bytes.buffer] });
});
const ready: HashReply = { kind: 'ready' };
postMessage(ready);
