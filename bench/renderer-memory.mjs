// @ts-check
import { readFileSync } from 'node:fs';

const SAMPLE_MS = 250;
const MIB = 2 ** 20;

/**
 * Private resident memory of a Chromium renderer, MiB, from Linux's `/proc`: buffers and all, which
 * `performance.memory` does not see.
 */
export class RendererMemory {
  /** @param {number} pid */
  constructor(pid) {
    this.pid = pid;
    this.peakMiB = 0;
    /** @type {number[]} */
    this.samples = [];
    /** @type {NodeJS.Timeout | undefined} */
    this.timer = undefined;
  }

  now() {
    const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8');
    let kib = 0;
    for (const [, value] of rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)) kib += Number(value);
    return (kib * 1024) / MIB;
  }

  /** The largest of four samples a second while `work` runs. @template T @param {() => Promise<T>} work */
  async during(work) {
    this.peakMiB = this.now();
    this.samples = [];
    this.timer = setInterval(() => {
      const sample = this.now();
      this.samples.push(sample);
      this.peakMiB = Math.max(this.peakMiB, sample);
    }, SAMPLE_MS);
    try {
      const result = await work();
      this.peakMiB = Math.max(this.peakMiB, this.now());
      return { result, peakMiB: this.peakMiB };
    } finally {
      clearInterval(this.timer);
    }
  }
}

/**
 * The renderer that grows most by `grow`: Chromium has others, and does not tell which is a page's.
 * @param {import('@playwright/test').Browser} browser
 * @param {() => Promise<unknown>} grow
 */
export async function growingRenderer(browser, grow) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const renderers = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => new RendererMemory(id))
    .map((memory) => ({ memory, before: memory.now() }));
  await grow();
  const grown = renderers.map(({ memory, before }) => ({ memory, by: memory.now() - before }));
  const [most] = grown.sort((a, b) => b.by - a.by);
  if (!most) throw new Error('Chromium has no renderer');
  return most.memory;
}
