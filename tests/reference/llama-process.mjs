// @ts-check
/**
 * llama.cpp in a process of its own: its threads, its memory and its crashes stay apart from the engine under test.
 * Started by llama.ts with an IPC channel; one request at a time, one answer each.
 */
import { importReference } from '../setup/reference.mjs';

/** Logits come back as one JavaScript Map a position, 3 MB each on a vocabulary of 49,152: few at a time. */
const POSITIONS_A_CALL = 16;

const { getLlama, LlamaLogLevel } = await importReference(process.argv[2] ?? '', 'node-llama-cpp');
// more threads than free cores make it a thousand times slower
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 1, logLevel: LlamaLogLevel.error });

/** @type {any} */
let model;
/** @type {any} */
let context;
/** @type {any} */
let sequence;

/** @type {Record<string, (...args: any[]) => Promise<unknown>>} */
const actions = {
  async open(/** @type {string} */ path, /** @type {number} */ contextSize) {
    await actions.close?.();
    model = await llama.loadModel({ modelPath: path, useMmap: true });
    context = await model.createContext({
      contextSize,
      batchSize: 64,
      threads: 1,
      flashAttention: false,
      // the default, float16, alone moves logits by 7e-4 of their range
      experimentalKvCacheKeyType: 'F32',
      experimentalKvCacheValueType: 'F32',
    });
    sequence = context.getSequence();
  },

  async logits(/** @type {number[]} */ tokens) {
    await sequence.clearHistory();
    const rows = [];
    for (let at = 0; at < tokens.length; at += POSITIONS_A_CALL) {
      const part = tokens.slice(at, at + POSITIONS_A_CALL);
      const wanted = { generateNext: { logits: true } };
      const outputs = await sequence.controlledEvaluate(part.map((token) => [token, wanted]));
      for (const output of outputs) rows.push(rowOf(output.next.logits));
    }
    return rows;
  },

  async greedy(/** @type {number[]} */ prompt, /** @type {number} */ count) {
    await sequence.clearHistory();
    const tokens = [];
    let input = prompt;
    while (tokens.length < count) {
      const wanted = /** @type {const} */ ({ generateNext: { logits: { filter: { includeTop: 2 } } } });
      const items = input.map((token, i) => (i === input.length - 1 ? [token, wanted] : token));
      const outputs = await sequence.controlledEvaluate(items);
      const [best] = [...outputs[input.length - 1].next.logits].sort((a, b) => b[1] - a[1]);
      tokens.push(best[0]);
      if (model.isEogToken(best[0])) break;
      input = [best[0]];
    }
    return tokens;
  },

  async tokenize(/** @type {string} */ text) {
    return [...(model.tokens.shouldPrependBosToken ? [model.tokens.bos] : []), ...model.tokenize(text, true)];
  },

  async detokenize(/** @type {number[]} */ tokens) {
    return model.detokenize(tokens, true);
  },

  async close() {
    await context?.dispose();
    await model?.dispose();
    context = model = sequence = undefined;
  },
};

/** @param {Map<number, number>} logits best first, not by token */
function rowOf(logits) {
  const row = new Float32Array(logits.size);
  for (const [token, value] of logits) row[token] = value;
  return row;
}

process.on('message', async (/** @type {{ action: string, args: unknown[] }} */ { action, args }) => {
  try {
    process.send?.({ value: await actions[action]?.(...args) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ value: 'ready' });
