import { expect, test } from 'vitest';
import { HeaderReads } from './header-reads.ts';

class Server {
  readonly asked: string[] = [];
  readonly troubles: unknown[] = [];
  readonly answers = new Map<string, { give: () => void; fail: () => void }>();
  nowMs = 0;
  readonly reads = new HeaderReads({
    read: (model) => {
      this.asked.push(model);
      return new Promise((give, fail) => {
        this.answers.set(model, { give: () => give(undefined), fail: () => fail(new Error(model)) });
      });
    },
    signal: new AbortController().signal,
    now: () => this.nowMs,
    onTrouble: (error) => this.troubles.push(error),
  });
}

const always = () => true;

test('of many models that members name two headers are read at once, in order', async () => {
  const server = new Server();
  const all = ['a', 'b', 'c', 'd'].map((model) => server.reads.want(model, always));
  expect(server.asked).toEqual(['a', 'b']);
  server.answers.get('b')?.give();
  await all[1];
  expect(server.asked).toEqual(['a', 'b', 'c']);
  for (let i = 0; i < 1000; i++) void server.reads.want(`m${i}`, always);
  expect(server.asked).toHaveLength(3);
});

test('a model that is not current any more when its turn comes is not asked for', async () => {
  const server = new Server();
  let isWanted = true;
  void server.reads.want('a', always);
  void server.reads.want('b', always);
  const third = server.reads.want('c', () => isWanted);
  isWanted = false;
  server.answers.get('a')?.give();
  await third;
  expect(server.asked).toEqual(['a', 'b']);
});

test('a header that cannot be read is not asked for again at once, and says why', async () => {
  const server = new Server();
  const first = server.reads.want('a', always);
  server.answers.get('a')?.fail();
  await first;
  await server.reads.want('a', always);
  expect(server.asked).toEqual(['a']);
  expect(server.troubles).toEqual([new Error('a')]);
  server.nowMs = 60_000;
  void server.reads.want('a', always);
  expect(server.asked).toEqual(['a', 'a']);
});
