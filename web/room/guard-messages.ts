import type { Peer } from 'peerjs';
import * as v from 'valibot';

/** Connections of which messages came before their offer; candidates may be quicker than that. */
const MAX_EARLY_CONNECTIONS = 16;
const MAX_EARLY_MESSAGES = 64;

const ConnectionIdSchema = v.pipe(v.string(), v.maxLength(128));
const MessageSchema = v.variant('type', [
  v.object({
    type: v.literal('OFFER'),
    src: v.string(),
    payload: v.looseObject({
      type: v.literal('data'),
      connectionId: ConnectionIdSchema,
      sdp: v.object({ type: v.literal('offer'), sdp: v.string() }),
    }),
  }),
  v.object({
    type: v.picklist(['ANSWER', 'CANDIDATE']),
    src: v.string(),
    payload: v.looseObject({ connectionId: ConnectionIdSchema }),
  }),
  v.object({ type: v.literal('LEAVE'), src: v.string() }),
  // the server's own
  v.object({ type: v.literal('EXPIRE'), src: v.string() }),
  v.object({ type: v.literal('ERROR'), payload: v.object({ msg: v.string() }) }),
  v.looseObject({ type: v.picklist(['OPEN', 'ID-TAKEN', 'INVALID-KEY']) }),
]);

/** What of PeerJS is behind its types: how it takes messages, and what it keeps of those that it cannot assign. */
interface Inside {
  _handleMessage(message: unknown): void;
  readonly _lostMessages: Map<string, unknown[]>;
}

/**
 * Stands before what PeerJS does with messages of others: it would throw at some, and keep for ever what is said about
 * connections that never come. Whatever serialization a caller names, the connection is made by `serialization`.
 */
export function guardMessages(peer: Peer, serialization: string): void {
  const inside = peer as unknown as Inside;
  const handle = inside._handleMessage.bind(peer);
  inside._handleMessage = (given) => {
    const read = v.safeParse(MessageSchema, given);
    if (!read.success) return;
    const { output } = read;
    handle(output.type === 'OFFER' ? { ...output, payload: { ...output.payload, serialization } } : output);
    forget(inside._lostMessages);
  };
}

/** Drops the oldest of too many. */
function forget(lost: Map<string, unknown[]>): void {
  for (const [connection, messages] of lost) {
    if (lost.size > MAX_EARLY_CONNECTIONS) lost.delete(connection);
    else messages.length = Math.min(messages.length, MAX_EARLY_MESSAGES);
  }
}
