import type { DeviceProblem, DeviceReport, RoomRefusal } from '../../worker/api.ts';

/** How the stand-in worker behaves; a test says it in the page's address. */
export interface Scenario {
  readonly problems: readonly DeviceProblem[];
  /** Complete files that are kept from the start. */
  readonly kept: boolean;
  /** A file of which a part is kept. */
  readonly partly: boolean;
  readonly hub: 'up' | 'down' | 'gated';
  /** Whether the server's folder has the starter: from the beginning, or from the second look on. */
  readonly served: 'no' | 'yes' | 'late';
  readonly interrupted: boolean;
  readonly tokensPerSecond: number;
  /** Bytes a second of a download. */
  readonly downloadRate: number;
  /** When the GPU goes away, half of the model has been dropped by the browser. */
  readonly evicts: boolean;
  /** The connection ends after so many bytes of the first download. */
  readonly breakAfter: number;
  readonly prefillMs: number;
  /** How long the GPU is prepared once all bytes of a model are here. */
  readonly prepareMs: number;
  /** Parameters that a loaded model is said to have; 0: its own. */
  readonly parameters: number;
  /** What goes wrong, once, in the first answer: after this many tokens. */
  readonly fault: 'none' | 'lost' | 'full' | 'memory';
  readonly faultAfter: number;
  readonly contextTokens: number;
  /** What makes room in a full context. */
  readonly ways: 'oldest' | 'reasoning' | 'none';
  /** What is said of the vocabulary of a loaded model, and of how its first answer is asked for. */
  readonly warned: boolean;
  readonly platform: DeviceReport['platform'];
  /** The room that the window returns to: with three devices unless it says otherwise. */
  readonly room: 'none' | 'alone' | 'three' | 'loading' | 'ready' | 'busy' | 'broken' | 'joining' | 'asking';
  /** How the first join ends. */
  readonly refused: RoomRefusal | 'none';
  /** Another member takes this device out after so long; 0: never. */
  readonly removedAfter: number;
  /** What happens to the room in an answer of it, `after` so many tokens, for `hold` a line. */
  readonly roomFault: 'none' | 'silent' | 'moved' | 'waiting' | 'paused';
  readonly hold: number;
}

const PROBLEMS: readonly DeviceProblem[] = [
  'insecure-context',
  'no-webgpu',
  'no-adapter',
  'software-adapter',
  'slow-readback',
  'no-f16',
  'no-storage',
];

const REFUSALS: readonly RoomRefusal[] = [
  'removed',
  'old-invite',
  'version',
  'unknown',
  'denied',
  'expired',
  'busy',
  'full',
  'nobody-here',
];

export function readScenario(search: string): Scenario {
  const asked = new URLSearchParams(search);
  const number = (name: string, usual: number) => Number(asked.get(name) ?? usual);
  const oneOf = <T extends string>(name: string, values: readonly [T, ...T[]]) =>
    values.find((value) => value === asked.get(name)) ?? values[0];
  return {
    problems: PROBLEMS.filter((problem) => asked.get('problems')?.split(',').includes(problem)),
    kept: asked.has('kept'),
    partly: asked.has('partly'),
    hub: oneOf('hub', ['up', 'down', 'gated']),
    served: asked.get('served') === 'late' ? 'late' : asked.has('served') ? 'yes' : 'no',
    interrupted: asked.has('interrupted'),
    tokensPerSecond: number('rate', 100),
    downloadRate: number('download', 400e6),
    evicts: asked.has('evicts'),
    breakAfter: number('break', Number.POSITIVE_INFINITY),
    prefillMs: number('prefill', 60),
    prepareMs: number('prepare', 0),
    parameters: number('parameters', 0),
    fault: oneOf('fault', ['none', 'lost', 'full', 'memory']),
    faultAfter: number('after', 12),
    contextTokens: number('context', 0),
    ways: oneOf('ways', ['oldest', 'reasoning', 'none']),
    warned: asked.has('warned'),
    platform: oneOf('platform', ['mac', 'iphone', 'ipad', 'android', 'windows', 'linux', 'other']),
    room: oneOf('room', ['none', 'alone', 'three', 'loading', 'ready', 'busy', 'broken', 'joining', 'asking']),
    refused: oneOf('refused', ['none', ...REFUSALS]),
    removedAfter: number('removed-after', 0),
    roomFault: oneOf('room-fault', ['none', 'silent', 'moved', 'waiting', 'paused']),
    hold: number('hold', 300),
  };
}
