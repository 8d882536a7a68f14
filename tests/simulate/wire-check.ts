import type { ControlMessage } from '../../worker/mesh/room/messages.ts';
import { roomCodec, type WireMessage } from '../../worker/service/room/room-schemas.ts';
import type { Plant, SimEffect } from './device.ts';

/** What the key of a model begins with that a hub has. */
export const HUB_MODEL = JSON.stringify([
  'hub',
  'bartowski/Llama-3.2-3B-Instruct-GGUF',
  '5ab33fa94d1d04e903623ae72c95d1696f09f9e8',
  'Llama-3.2-3B-Instruct-Q4_K_M.gguf',
  4096,
]);
const SAMPLER = {
  temperature: 0.7,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  repetitionPenalty: 1.1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  promptTokens: 100,
};

/** Of small messages so many are alike that one in so many is looked at. */
const SMALL_EACH = 32;
const SMALL_ENTRIES = 24;

/** Lets only those control messages through that the product's codec writes and reads; notes what it drops. */
export function throughTheWire(dropped: Map<string, number>): Plant {
  let small = 0;
  return (node) => {
    const { handle } = node;
    const passes = (effect: SimEffect) => {
      if (effect.kind !== 'send') return true;
      const { message } = effect;
      const isSmall = message.kind === 'gossip' && message.states.length + message.placements.length < SMALL_ENTRIES;
      if (isSmall && small++ % SMALL_EACH > 0) return true;
      const fault = faultOf(effect.message);
      if (fault !== undefined) dropped.set(fault, (dropped.get(fault) ?? 0) + 1);
      return fault === undefined;
    };
    node.handle = (input, nowMs) => handle.call(node, input, nowMs).filter(passes);
  };
}

function faultOf(message: ControlMessage): string | undefined {
  try {
    const read = roomCodec.decode(roomCodec.encode(asInProduct(message)));
    return 'dropped' in read ? `${message.kind} ${read.dropped}` : undefined;
  } catch (error) {
    return `${message.kind} ${error instanceof RangeError ? 'not written' : String(error)}`;
  }
}

/** With a sampler as it really is. */
function asInProduct(message: ControlMessage): WireMessage {
  if (message.kind !== 'start' || message.sampler === null) return message;
  return { ...message, sampler: { ...SAMPLER, ...(message.sampler as { seed: number }) } };
}
