// @ts-check
/** The likeliest token always: an answer is a function of what was asked. */
export const GREEDY = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  seed: 1,
};
