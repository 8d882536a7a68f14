import { describe, expect, it } from 'vitest';
import { checkFile } from './import-rules.mjs';

const messages = (file: string, text: string) =>
  checkFile(file, text).map(({ line, message }) => `${line}: ${message}`);

describe('import rules', () => {
  it.each([
    ['worker/gpu/a.ts', "import x from '../../shaders/index.ts';"],
    ['worker/gpu/a.ts', "import { b } from './deep/b.ts';\nimport { ShoalError } from '../errors.ts';"],
    ['worker/planner/a.ts', "import type { ModelSpec } from '../models/stage.ts';"],
    ['worker/planner/a.ts', "import { type ModelSpec, type B } from '../models/stage.ts';"],
    ['worker/service/a.ts', "import { Engine } from '../generation/engine.ts';\nimport * as Comlink from 'comlink';"],
    ['worker/text/a.test.ts', "import { readFileSync } from 'node:fs';"],
    ['web/a.ts', "import { LitElement } from 'lit';\nimport { repeat } from 'lit/directives/repeat.js';"],
    ['web/a.ts', "import type { WorkerApi } from '../worker/api.ts';"],
    ['tests/a.ts', "import { anything } from '../worker/gpu/device.ts';\nimport fs from 'node:fs';"],
  ])('allow in %s: %s', (file, text) => {
    expect(messages(file, text)).toEqual([]);
  });

  it.each([
    [
      'worker/gpu/a.ts',
      "import { x } from '../models/stage.ts';",
      '1: worker/gpu/ may not import worker/models/stage.ts',
    ],
    [
      'worker/text/a.ts',
      "import { x } from '../gpu/device.ts';",
      '1: worker/text/ may not import worker/gpu/device.ts',
    ],
    [
      'worker/planner/a.ts',
      "\nimport { x } from '../models/stage.ts';",
      '2: worker/planner/ may not import worker/models/stage.ts (types alone: import type)',
    ],
    [
      'worker/planner/a.ts',
      "import {\n  x,\n} from '../models/stage.ts';",
      '1: worker/planner/ may not import worker/models/stage.ts (types alone: import type)',
    ],
    [
      'worker/planner/a.ts',
      "import { x, type Y } from '../models/stage.ts';",
      '1: worker/planner/ may not import worker/models/stage.ts (types alone: import type)',
    ],
    ['worker/gpu/a.ts', "export * from '../service/x.ts';", '1: worker/gpu/ may not import worker/service/x.ts'],
    [
      'worker/weights/a.ts',
      "const x = await import('../shards/store.ts');",
      '1: worker/weights/ may not import worker/shards/store.ts',
    ],
    [
      'worker/weights/a.ts',
      "new Worker(new URL('../text/x.ts', import.meta.url));",
      '1: worker/weights/ may not import worker/text/x.ts',
    ],
    ['worker/service/a.ts', "import fs from 'node:fs';", '1: worker/ may not import the package node'],
    ['worker/service/a.ts', "import { x } from '../../web/x.ts';", '1: worker/ may not import web/x.ts'],
    ['web/a.ts', "import { Device } from '../worker/gpu/device.ts';", '1: web/ may not import worker/gpu/device.ts'],
    ['web/a.ts', "import 'left-pad';", '1: web/ may not import the package left-pad'],
    ['signaling/a.ts', "import { x } from '../worker/api.ts';", '1: signaling/ may not import worker/api.ts'],
    [
      'shaders/index.ts',
      "import { x } from '../worker/gpu/device.ts';",
      '1: shaders/ may not import worker/gpu/device.ts',
    ],
  ])('refuse in %s: %s', (file, text, message) => {
    expect(messages(file, text)).toEqual([message]);
  });
});
