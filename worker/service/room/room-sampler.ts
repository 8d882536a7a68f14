import * as v from 'valibot';
import type { SamplerParameters } from '../../gpu/sampler.ts';

/** What the last stage's sampler is told of a session, as it goes from the driver to it. */
export interface RoomSampler extends SamplerParameters {
  /** Of the session's tokens, from the start, those that the model did not say itself. */
  readonly promptTokens: number;
}

const MAX_BIASES = 300;
const MAX_TOP = 20;
const finite = v.pipe(v.number(), v.finite());
const count = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));

export const RoomSamplerSchema = v.object({
  temperature: v.pipe(finite, v.minValue(0)),
  topK: count(0xffffffff),
  topP: finite,
  minP: finite,
  repetitionPenalty: v.pipe(finite, v.gtValue(0)),
  frequencyPenalty: finite,
  presencePenalty: finite,
  seed: count(0xffffffff),
  logitBias: v.optional(v.pipe(v.array(v.tuple([count(0xffffffff), finite])), v.maxLength(MAX_BIASES))),
  topLogProbs: v.optional(count(MAX_TOP)),
  promptTokens: count(0xffffffff),
});

/** Undefined for what no driver of this version sends. */
export function readRoomSampler(sampler: unknown): RoomSampler | undefined {
  const read = v.safeParse(RoomSamplerSchema, sampler);
  if (!read.success) return undefined;
  const { logitBias, topLogProbs, ...rest } = read.output;
  return {
    ...rest,
    ...(logitBias === undefined ? {} : { logitBias }),
    ...(topLogProbs === undefined ? {} : { topLogProbs }),
  };
}
