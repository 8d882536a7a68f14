import type { DeviceProblem } from '../../worker/api.ts';

interface ProblemWords {
  /** `stop`: nothing can be computed here. `slow`: it works, but. `note`: only to know. */
  readonly weight: 'stop' | 'slow' | 'note';
  readonly what: string;
  readonly means: string;
  readonly todo: string;
}

export const BROWSERS =
  'Safari 26 or later on iPhone, iPad and Mac; Chrome or Edge 134 or later on a computer; Chrome 134 or later on Android';

/** Each trouble of a device: what it is, what it means, what to do. */
export const PROBLEMS: Readonly<Record<DeviceProblem, ProblemWords>> = {
  'insecure-context': {
    weight: 'stop',
    what: 'This address is not secure.',
    means: 'Browsers give the GPU and the storage for models only to pages over HTTPS, or on this very machine.',
    todo: 'Open Shoal over HTTPS, or as localhost on the machine that serves it.',
  },
  'no-webgpu': {
    weight: 'stop',
    what: 'This browser has no WebGPU.',
    means: 'Shoal computes through WebGPU, so no model can run here.',
    todo: `Use ${BROWSERS}.`,
  },
  'no-adapter': {
    weight: 'stop',
    what: 'The browser gives no GPU.',
    means: 'It knows WebGPU, but found no graphics hardware that it would use.',
    todo: 'Turn hardware acceleration on in the browser’s settings, update the graphics driver, and open this page again.',
  },
  'software-adapter': {
    weight: 'slow',
    what: 'There is no real GPU here, only a stand-in on the processor.',
    means: 'Answers come, but many times slower: a small model writes about a word a second.',
    todo: 'Turn hardware acceleration on in the browser’s settings, or choose the smallest model.',
  },
  'slow-readback': {
    weight: 'stop',
    what: 'Firefox is too slow to hand results back from the GPU.',
    means: 'Each word would wait up to a tenth of a second, so Shoal does not compute here.',
    todo: `Use ${BROWSERS}.`,
  },
  'no-f16': {
    weight: 'note',
    what: 'This GPU has no 16-bit arithmetic.',
    means: 'Models run with 32-bit numbers: the same answers, with a little more memory for the conversation.',
    todo: 'Nothing needs to be done. A newer graphics driver may add it.',
  },
  'no-storage': {
    weight: 'slow',
    what: 'This browser keeps nothing for this page.',
    means:
      'A private window, or site data is blocked. Models are downloaded anew at each visit, and conversations go with the window.',
    todo: 'Open Shoal in an ordinary window, and allow it to keep data, to keep them.',
  },
};
