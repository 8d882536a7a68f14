import { SHADERS } from '../../../shaders/index.ts';
import type { Gpu } from '../../../worker/gpu/device.ts';
import { philox } from '../../../worker/gpu/philox.ts';
import { Program } from '../../../worker/gpu/program.ts';
import {
  RESULT_WORDS,
  readResult,
  type SampledToken,
  type SamplerParameters,
  SETTINGS_WORDS,
  sampler,
  samplerScratchBytes,
  writeCounts,
  writeSamplerSettings,
} from '../../../worker/gpu/sampler.ts';
import { specialize } from '../../../worker/gpu/specialize.ts';
import { MAX_LOGIT_ROWS, padded, STEP_WORDS, writeStep } from '../../../worker/gpu/step.ts';
import {
  type Environment,
  expectClose,
  expectEqual,
  expectTrue,
  type KernelCase,
  poisoned,
  readBytes,
  readWords,
  spread,
  upload,
} from '../harness.ts';
import { changedLogits, chiSquareDeviations, distribution, logSoftmax, misses, PLAIN, type Said } from '../sampling.ts';

/**
 * A draw may miss its token's interval by what f32 exponentials leave: WGSL allows exp(x) 3 + 2|x| last places, so some
 * 1e-6 of a weight, and logits of size 8 over a temperature another 1e-6.
 */
const INTERVAL_TOLERANCE = 2e-5;
/** Draws are the same in every run; a right sampler is beyond four deviations once in some ten thousand cases. */
const MOST_DEVIATIONS = 4;
const NOTHING: Said = { prompt: [], generated: [] };

/** One session: its logits, settings, and what was said before. */
interface Session {
  readonly logits: Float32Array;
  readonly parameters: SamplerParameters;
  readonly said: Said;
  readonly position: number;
}

const said: Said = { prompt: [3, 17, 17, 40, 299], generated: [17, 5, 5, 5, 120, 40] };

const settings: readonly (readonly [string, Partial<SamplerParameters>])[] = [
  ['temperature 1', {}],
  ['temperature 0.3', { temperature: 0.3 }],
  ['temperature 2.5', { temperature: 2.5 }],
  ['top-k of 1', { topK: 1 }],
  ['top-k of 7', { topK: 7 }],
  ['top-k of more than there are', { topK: 1_000_000 }],
  ['top-p of 0.6', { topP: 0.6 }],
  ['top-p of 0.999', { topP: 0.999 }],
  ['top-p of 0', { topP: 0 }],
  ['min-p of 0.2', { minP: 0.2 }],
  ['min-p of 1', { minP: 1 }],
  [
    'bias',
    {
      logitBias: [
        [4, 6],
        [9, -100],
        [250, 3],
        [4, 1],
      ],
    },
  ],
  ['repetition penalty', { repetitionPenalty: 1.6 }],
  ['frequency penalty', { frequencyPenalty: 0.9 }],
  ['presence penalty', { presencePenalty: -2.5 }],
  [
    'all of them',
    {
      temperature: 0.8,
      topK: 60,
      topP: 0.9,
      minP: 0.03,
      repetitionPenalty: 1.2,
      frequencyPenalty: 0.4,
      presencePenalty: 0.3,
      logitBias: [
        [5, 2],
        [200, -3],
      ],
    },
  ],
];

/** Not the page: Chromium's software GPU takes minutes, and its exp moves flat sums by a token. */
const IN_NODE: readonly Environment[] = ['driver', 'safari', 'android'];

export const cases: readonly KernelCase[] = [
  {
    name: 'each setting alone and all together draw the token that float64 draws with the same random number',
    async run(gpu, random) {
      const logits = random.floats(300, 4);
      await checkDraws(
        gpu,
        settings.map(([, some], i) => session(logits, { ...some, seed: random.word() }, i * 1000)),
        8,
      );
    },
  },
  {
    name: 'the same over a vocabulary of 150,000',
    environments: IN_NODE,
    async run(gpu, random) {
      const logits = random.floats(150_000, 8);
      // some tokens that stand out, as a model's do
      for (let i = 0; i < 40; i++) logits[random.integer(0, logits.length - 1)] = 9 + random.next() * 6;
      for (const token of [...said.prompt, ...said.generated]) logits[token] = 13;
      await checkDraws(
        gpu,
        settings.map(([, some], i) => session(logits, { ...some, seed: random.word() }, i * 77)),
        3,
      );
    },
  },
  {
    name: 'flat logits over 150,000 tokens keep as many as top-k and top-p say',
    environments: IN_NODE,
    async run(gpu, random) {
      const logits = random.floats(150_000, 0.5);
      const some: Partial<SamplerParameters>[] = [
        {},
        { topK: 90_000 },
        { topP: 0.5 },
        { topK: 100_000, topP: 0.7, minP: 0.8 },
      ];
      await checkDraws(
        gpu,
        some.map((parameters) => session(logits, { ...parameters, seed: random.word() }, 9)),
        3,
      );
    },
  },
  {
    name: 'draws are distributed as float64 says',
    environments: IN_NODE,
    async run(gpu, random) {
      const logits = random.floats(300, 4);
      for (const some of [{}, { temperature: 0.7, topK: 50, topP: 0.95 }, { temperature: 1.5, minP: 0.05 }]) {
        // many positions of one seed, and many seeds at one position
        const sessions = Array.from({ length: MAX_LOGIT_ROWS }, (_, i) =>
          session(logits, { ...some, seed: i < 8 ? 7 : i * 1_000_003 }, i < 8 ? i * 200 : 50),
        );
        const drawn = await draw(gpu, sessions, 80);
        const probabilities = distribution(logits, { ...PLAIN, ...some }, said);
        for (const [what, from, to] of [
          ['positions', 0, 8],
          ['seeds', 8, 16],
        ] as const) {
          const tokens = drawn.flatMap((step) => step.slice(from, to).map(({ token }) => token));
          const deviations = chiSquareDeviations(probabilities, tokens);
          expectTrue(gpu, deviations < MOST_DEVIATIONS, `over ${what}: chi-square is off by ${deviations} deviations`);
        }
      }
    },
  },
  {
    name: 'draws over 150,000 tokens are distributed as float64 says',
    environments: IN_NODE,
    async run(gpu, random) {
      const logits = random.floats(150_000, 3);
      const sessions = Array.from({ length: MAX_LOGIT_ROWS }, (_, i) => session(logits, { seed: i }, 0));
      const tokens = (await draw(gpu, sessions, 25)).flat().map(({ token }) => token);
      const deviations = chiSquareDeviations(distribution(logits, PLAIN, said), tokens);
      expectTrue(gpu, deviations < MOST_DEVIATIONS, `chi-square is off by ${deviations} deviations`);
    },
  },
  {
    name: 'greedy takes the largest changed logit exactly, of equal ones the lowest token',
    async run(gpu, random) {
      const greedy = { temperature: 0, topK: 3, topP: 0.5 };
      const distinct = random.floats(5000, 8);
      const equal = random.floats(5000, 8);
      for (const token of [4999, 2047, 2048, 3000]) equal[token] = 9;
      const neighbours = random.floats(5000, 8);
      // one last place apart
      neighbours[4000] = 9;
      neighbours[100] = 9 - 2 ** -20;
      const zeros = new Float32Array(5000).fill(-3);
      zeros[4500] = 0;
      zeros[2100] = -0;
      const negative = random.floats(5000, 1).map((x) => -20 - Math.abs(x));
      const sessions = [
        session(distinct, greedy, 1),
        session(equal, greedy, 2),
        session(neighbours, greedy, 3),
        session(zeros, greedy, 4),
        session(negative, greedy, 5),
        session(distinct, { ...greedy, logitBias: [[4321, 50]], repetitionPenalty: 3 }, 6),
      ];
      const tokens = ((await draw(gpu, sessions, 1))[0] ?? []).map(({ token }) => token);
      const expected = sessions.map(({ logits, parameters, said: before }) => {
        const changed = changedLogits(logits, parameters, before);
        return changed.indexOf(changed.reduce((a, b) => Math.max(a, b)));
      });
      expectEqual(gpu, 'tokens', tokens, expected);
      expectEqual(gpu, 'of equal ones the lowest', tokens.slice(1, 4), [2047, 4000, 2100]);
    },
  },
  {
    name: 'log probabilities are those of the unchanged logits, the likeliest first',
    async run(gpu, random) {
      const logits = random.floats(5000, 9);
      const twins = random.floats(5000, 3);
      for (const token of [4900, 5, 2050]) twins[token] = 4;
      for (const [all, wanted] of [
        [logits, [20, 5, 0]],
        [twins, [20, 1]],
      ] as const) {
        const sessions = wanted.map((topLogProbs, i) =>
          session(all, { topLogProbs, temperature: i, logitBias: [[2, 30]], repetitionPenalty: 2 }, i, NOTHING),
        );
        const drawn = (await draw(gpu, sessions, 1))[0] ?? [];
        const expected = logSoftmax(all);
        const order = [...all.keys()].sort((a, b) => (all[b] ?? 0) - (all[a] ?? 0) || a - b);
        drawn.forEach(({ token, logProb, top }, i) => {
          const likeliest = order.slice(0, wanted[i]);
          expectEqual(
            gpu,
            'likeliest',
            top.map((entry) => entry.token),
            likeliest,
          );
          const values = [logProb, ...top.map((entry) => entry.logProb)];
          const wantedValues = [token, ...likeliest].map((t) => expected[t] ?? Number.NaN);
          expectClose(gpu, 'log probabilities', values, wantedValues, { absolute: 1e-5, relative: 1e-6 });
        });
      }
    },
  },
  {
    name: 'a logit that is infinite or no number is reported, in its row alone',
    async run(gpu, random) {
      const spoilt = [Number.NaN, Infinity, -Infinity].map((value) => {
        const logits = random.floats(5000, 3);
        logits[2500] = value;
        return logits;
      });
      const all = [...spoilt, random.floats(5000, 3), new Float32Array(5000).fill(Number.NaN)];
      for (const temperature of [0, 1]) {
        const drawn =
          (
            await draw(
              gpu,
              all.map((logits) => session(logits, { temperature }, 3)),
              1,
            )
          )[0] ?? [];
        expectEqual(
          gpu,
          'finite',
          drawn.map(({ finite }) => Number(finite)),
          [0, 0, 0, 1, 0],
        );
        expectTrue(
          gpu,
          drawn.every(({ token }) => token < 5000),
          'a token that does not exist was fed on',
        );
      }
    },
  },
  {
    name: 'the sampled token is fed on and counted, other slots and rows of padding are left alone',
    async run(gpu, random) {
      const vocab = 300;
      const logits = random.floats(2 * vocab, 3);
      const rows = [
        { token: 1, position: 4, slot: 2, fromSampled: false, wantsLogits: true },
        { token: 1, position: 5, slot: 1, fromSampled: false, wantsLogits: false },
        { token: 1, position: 6, slot: 0, fromSampled: false, wantsLogits: true },
      ];
      const buffers = sessionBuffers(
        gpu,
        vocab,
        4,
        [0, 1, 2].map(() => session(logits, { temperature: 0 }, 0)),
      );
      buffers.write(rows, 4);
      const whole = new Float32Array(4 * vocab);
      whole.set(logits);
      gpu.device.queue.writeBuffer(buffers.logits, 0, spread(whole, vocab, padded(vocab)));
      await buffers.run();
      const expected = [0, 1].map((i) => {
        const changed = changedLogits(logits.slice(i * vocab, (i + 1) * vocab), PLAIN, said);
        return changed.indexOf(changed.reduce((a, b) => Math.max(a, b)));
      });
      const [first = 0, second = 0] = expected;
      const untouched = 0xffffffff;
      expectEqual(gpu, 'sampled', await readWords(gpu, buffers.sampled, 3), [second, untouched, first]);
      const results = await readWords(gpu, buffers.results, 4 * RESULT_WORDS);
      expectEqual(gpu, 'results', [results[0] ?? 0, results[RESULT_WORDS] ?? 0], expected);
      expectEqual(
        gpu,
        'unused results',
        results.subarray(2 * RESULT_WORDS),
        new Uint32Array(2 * RESULT_WORDS).fill(untouched),
      );
      const counts = new Uint32Array(3 * vocab);
      for (const [slot, token] of [
        [0, second],
        [1, undefined],
        [2, first],
      ] as const) {
        const more = token === undefined ? [] : [token];
        const tokens = [...said.prompt, ...said.generated, ...more];
        writeCounts(counts.subarray(slot * vocab, (slot + 1) * vocab), tokens, said.generated.length + more.length);
      }
      expectEqual(gpu, 'counts', await readWords(gpu, buffers.counts, 3 * vocab), counts);
    },
  },
  {
    name: 'the random number is the same here and on the GPU',
    async run(gpu, random) {
      const inputs = Uint32Array.from({ length: 512 }, (_, i) =>
        i < 4 ? ([0, 0, 0xffffffff, 0xffffffff][i] ?? 0) : random.word(),
      );
      const source = `#import parts/philox
@group(0) @binding(0) var<storage, read> inputs: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> outputs: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  outputs[id.x] = philox(inputs[id.x].x, inputs[id.x].y);
}`;
      const module = gpu.device.createShaderModule({
        code: specialize('probe', {}, new Map([...SHADERS, ['probe', source]])),
      });
      const pipeline = await gpu.device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
      const outputs = poisoned(gpu, 256, 'u32');
      const entries = [upload(gpu, inputs), outputs].map((buffer, binding) => ({ binding, resource: { buffer } }));
      const group = gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(4);
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
      const expected = Array.from({ length: 256 }, (_, i) => philox(inputs[2 * i] ?? 0, inputs[2 * i + 1] ?? 0));
      expectEqual(gpu, 'random words', await readWords(gpu, outputs, 256), expected);
    },
  },
];

function session(logits: Float32Array, some: Partial<SamplerParameters>, position: number, before = said): Session {
  return { logits, parameters: { ...PLAIN, ...some }, said: before, position };
}

/** Draws `steps` tokens of each session and holds each against float64 with the same random number. */
async function checkDraws(gpu: Gpu, sessions: readonly Session[], steps: number): Promise<void> {
  const drawn = await draw(gpu, sessions, steps);
  sessions.forEach(({ logits, parameters, said: before, position }, i) => {
    const probabilities = distribution(logits, parameters, before);
    drawn.forEach((tokens, n) => {
      const token = tokens[i]?.token ?? 0;
      const uniform = philox(parameters.seed, position + n + 1) / 2 ** 32;
      const miss = misses(probabilities, token, uniform);
      const what = `${JSON.stringify(parameters)}: token ${token} of probability ${probabilities[token]}`;
      expectTrue(gpu, miss <= INTERVAL_TOLERANCE, `${what} misses ${uniform} by ${miss}`);
      expectTrue(gpu, (probabilities[token] ?? 0) > 0, `${what} should have been left out`);
    });
  });
}

/** Tokens of each session at `steps` positions after one another, each time as if nothing had been said since. */
async function draw(gpu: Gpu, sessions: readonly Session[], steps: number): Promise<SampledToken[][]> {
  const vocab = sessions[0]?.logits.length ?? 0;
  const buffers = sessionBuffers(gpu, vocab, sessions.length, sessions);
  const words: Uint32Array[] = [];
  for (let n = 0; n < steps; n++) {
    buffers.write(
      sessions.map(({ position }, slot) => ({
        token: 0,
        position: position + n,
        slot,
        fromSampled: false,
        wantsLogits: true,
      })),
      sessions.length,
    );
    buffers.writeCounts();
    await buffers.run();
    words.push(new Uint32Array(await readBytes(gpu, buffers.results, sessions.length * RESULT_WORDS * 4)));
  }
  return words.map((result) => sessions.map((_, i) => readResult(result, i)));
}

/** A sampler over slots, one a session, in their order. */
function sessionBuffers(gpu: Gpu, vocab: number, logitRows: number, sessions: readonly Session[]) {
  const stride = padded(vocab);
  const logits = poisoned(gpu, logitRows * stride, 'f32', 'logits');
  const counts = poisoned(gpu, sessions.length * vocab, 'u32', 'counts');
  const settingsWords = new Uint32Array(sessions.length * SETTINGS_WORDS);
  sessions.forEach(({ logits: own, parameters }, slot) => {
    if (own.length === vocab) gpu.device.queue.writeBuffer(logits, slot * stride * 4, Float32Array.from(own));
    writeSamplerSettings(settingsWords.subarray(slot * SETTINGS_WORDS, (slot + 1) * SETTINGS_WORDS), parameters);
  });
  const step = upload(gpu, new Uint32Array(STEP_WORDS), 'step');
  const sampled = poisoned(gpu, sessions.length, 'u32', 'sampled');
  const results = poisoned(gpu, logitRows * RESULT_WORDS, 'u32', 'results');
  const scratch = poisoned(gpu, samplerScratchBytes(logitRows, vocab) / 4, 'u32', 'scratch');
  const buffers = { logits, step, settings: upload(gpu, settingsWords), counts, scratch, sampled, results };
  const program = new Program(gpu.device, sampler(gpu, { ...buffers, vocab, logitRows }));
  const writeAllCounts = () => {
    sessions.forEach(({ said: { prompt, generated } }, slot) => {
      const words = new Uint32Array(vocab);
      writeCounts(words, [...prompt, ...generated], generated.length);
      gpu.device.queue.writeBuffer(counts, slot * vocab * 4, words);
    });
  };
  writeAllCounts();
  return {
    ...buffers,
    writeCounts: writeAllCounts,
    write(rows: Parameters<typeof writeStep>[1], bucket: number) {
      const words = new Uint32Array(STEP_WORDS);
      writeStep(words, rows, bucket);
      gpu.device.queue.writeBuffer(step, 0, words);
    },
    async run() {
      await program.ready();
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      program.encode(pass);
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
    },
  };
}
