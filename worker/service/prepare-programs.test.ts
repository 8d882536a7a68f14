import { expect, it } from 'vitest';
import { ROW_BUCKETS } from '../generation/chunks.ts';
import { preparePrograms } from './prepare-programs.ts';

/** A stage whose programs compile when the test says so. */
function slowStage() {
  const asked: string[] = [];
  const waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  const prepare = (rows: number, logitRows: number) => {
    asked.push(`${rows}/${logitRows}`);
    return new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const next = async (fails?: Error) => {
    const program = waiting.shift();
    if (fails) program?.reject(fails);
    else program?.resolve();
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { asked, waiting, prepare, next };
}

it('a model is ready when the programs of a first answer are compiled; the others follow, each once in the end', async () => {
  const stage = slowStage();
  const told: string[] = [];
  let ready = false;
  const prepared = preparePrograms(stage, 4, 8, new AbortController().signal, (done, total) => {
    told.push(`${done} of ${total}`);
  }).then(() => {
    ready = true;
  });
  await stage.next();
  await stage.next();
  expect(ready).toBe(false);
  await stage.next();
  await prepared;
  expect(told).toEqual(['0 of 3', '1 of 3', '2 of 3', '3 of 3']);
  expect(stage.asked.slice(0, 3)).toEqual(['1/1', '8/1', '8/0']);
  while (stage.waiting.length > 0) await stage.next();
  const prompts = ROW_BUCKETS.flatMap((rows) => [`${rows}/1`, `${rows}/0`]);
  expect(new Set(stage.asked)).toEqual(new Set([...prompts, '2/2', '4/4']));
});

it('a model that is taken away compiles no further', async () => {
  const stage = slowStage();
  const stop = new AbortController();
  const prepared = preparePrograms(stage, 4, 8, stop.signal, () => {});
  for (let i = 0; i < 3; i++) await stage.next();
  await prepared;
  stop.abort();
  await stage.next();
  expect(stage.asked).toHaveLength(4);
});

it('a program of a first answer that fails fails the load, a later one only the step that needs it', async () => {
  const broken = slowStage();
  const failing = preparePrograms(broken, 4, 8, new AbortController().signal, () => {});
  failing.catch(() => {});
  await broken.next(new Error('no'));
  await expect(failing).rejects.toThrow('no');
  const stage = slowStage();
  const prepared = preparePrograms(stage, 4, 8, new AbortController().signal, () => {});
  for (let i = 0; i < 3; i++) await stage.next();
  await prepared;
  await stage.next(new Error('no'));
  expect(stage.asked).toHaveLength(5);
});

it('what the device may have to run soon is compiled right after the first programs', async () => {
  const stage = slowStage();
  const next = slowStage();
  const prepared = preparePrograms(stage, 4, 8, new AbortController().signal, () => {}, { next });
  for (let i = 0; i < 3; i++) await stage.next();
  await prepared;
  expect(stage.asked).toHaveLength(3);
  await next.next();
  await next.next(new Error('no'));
  await next.next();
  expect(next.asked).toEqual(['1/1', '8/1', '8/0']);
  expect(stage.asked).toHaveLength(4);
});

it('a test may have nothing compiled behind', async () => {
  const stage = slowStage();
  const prepared = preparePrograms(stage, 4, 8, new AbortController().signal, () => {}, 'nothing');
  for (let i = 0; i < 3; i++) await stage.next();
  await prepared;
  expect(stage.asked).toEqual(['1/1', '8/1', '8/0']);
});
