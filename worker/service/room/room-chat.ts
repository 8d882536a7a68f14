import type { ChatModel } from '../../generation/chat.ts';
import type { DeviceId, ModelKey, SessionId } from '../../mesh/types.ts';
import { chatTemplate, createTokenizer } from '../../text/index.ts';
import { RoomEngine } from './room-engine.ts';
import type { RoomHost } from './room-host.ts';
import type { KnownModel } from './room-models.ts';
import { sessionOf } from './session-id.ts';

/** What answers conversations by the room: as a loaded model does by this device. */
export interface RoomChat
  extends Pick<ChatModel, 'key' | 'tokenizer' | 'template'>,
    Required<Pick<ChatModel, 'saidBefore'>> {
  readonly engine: RoomEngine;
}

export interface RoomChatOptions {
  readonly model: ModelKey;
  readonly known: KnownModel;
  /** This one, which drives. */
  readonly device: DeviceId;
  readonly feed: RoomHost['feed'];
  readonly nameOf: (device: DeviceId) => string;
  /** What this device has on its disk of a session on this model. */
  readonly tokensOf: (session: SessionId) => readonly number[];
}

/** Makes the tokenizer of a model of the room, and the engine that asks the room in its stead. */
export function createRoomChat({ model, known, device, feed, nameOf, tokensOf }: RoomChatOptions): RoomChat {
  const { metadata } = known.opened.checkpoint;
  const tokenizer = createTokenizer(metadata);
  const { contextTokens } = known;
  const engine = new RoomEngine({ device, model, contextTokens, endTokens: tokenizer.endTokens, feed, nameOf });
  const saidBefore = async (conversation: string, prompt: readonly number[]) => {
    const tokens = tokensOf(await sessionOf(conversation, device));
    return prompt.every((token, i) => tokens[i] === token) ? tokens.slice(prompt.length) : [];
  };
  return { key: model, engine, tokenizer, template: chatTemplate(metadata), saidBefore };
}
