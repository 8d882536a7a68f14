// @ts-check
// A network with delay between Chromium processes on one machine: every packet of a connection goes through here.
import { createSocket } from 'node:dgram';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const SOCKET_BUFFER_BYTES = 4 * 2 ** 20;
const HOST = '127.0.0.1';
/**
 * What one browser is sent in a millisecond, 115 Mbit/s. What arrives there in one burst beyond some 56 packets is lost:
 * Chromium gives a socket 64 KiB, and no real network would bring it that fast.
 */
const PACKETS_A_MS = 12;

/** What is on its way to one browser, whatever the connection. */
class Way {
  /** @param {(packet: Buffer, from: number, to: number) => void} send @param {(lateMs: number) => void} late */
  constructor(send, late) {
    this.send = send;
    this.late = late;
    /** @type {{ packet: Buffer, from: number, to: number, dueMs: number }[]} */
    this.waiting = [];
    this.head = 0;
    this.isTimed = false;
    this.sinceMs = 0;
    this.sent = 0;
  }

  /** @param {Buffer} packet @param {number} from @param {number} to @param {number} dueMs */
  push(packet, from, to, dueMs) {
    this.waiting.push({ packet, from, to, dueMs });
    if (!this.isTimed) this.release();
  }

  release() {
    this.isTimed = false;
    const now = performance.now();
    if (now - this.sinceMs >= 1) {
      this.sinceMs = now;
      this.sent = 0;
    }
    for (;;) {
      const next = this.waiting[this.head];
      if (next === undefined) break;
      // a timer counts whole milliseconds: half of one too early is as near as half of one too late
      if (next.dueMs - now > 0.5 || this.sent >= PACKETS_A_MS) {
        this.isTimed = true;
        setTimeout(() => this.release(), Math.max(1, next.dueMs - now));
        return;
      }
      this.head++;
      this.sent++;
      this.late(now - next.dueMs);
      this.send(next.packet, next.from, next.to);
    }
    this.waiting.length = 0;
    this.head = 0;
  }
}

/**
 * For each port of a browser stands one here: what arrives at it goes on to that browser after the delay and in order,
 * from the port that stands for its sender. So no browser learns where the other one is.
 */
class DelayedNetwork {
  constructor() {
    this.delayMs = 0;
    /** By the port of a browser for which it stands. @type {Map<number, Promise<import('node:dgram').Socket>>} */
    this.sockets = new Map();
    /** Those of them that are bound. @type {Map<number, import('node:dgram').Socket>} */
    this.bound = new Map();
    /** By browser. @type {Map<string, Way>} */
    this.ways = new Map();
    /** To which browser a port belongs. @type {Map<number, string>} */
    this.browsers = new Map();
    /** @type {number[]} */
    this.lateMs = [];
  }

  /** What comes for this port shares the way with all that is for the browser. @param {[number, string]} of */
  own([port, browser]) {
    this.browsers.set(port, browser);
  }

  /** @param {number} to port of a browser @returns {Promise<number>} the port here that stands for it */
  async wayTo(to) {
    return (await this.#socketFor(to)).address().port;
  }

  /** How much longer than asked packets took since this was last called, ms. */
  late() {
    const sorted = this.lateMs.splice(0).sort((a, b) => a - b);
    const at = (/** @type {number} */ share) => sorted[Math.floor(sorted.length * share)] ?? 0;
    return { packets: sorted.length, medianMs: at(0.5), p95Ms: at(0.95) };
  }

  /** @param {number} to */
  #socketFor(to) {
    const known = this.sockets.get(to);
    if (known) return known;
    const socket = createSocket({
      type: 'udp4',
      recvBufferSize: SOCKET_BUFFER_BYTES,
      sendBufferSize: SOCKET_BUFFER_BYTES,
    });
    socket.on('message', (packet, { port }) => {
      this.#way(to).push(packet, port, to, performance.now() + this.delayMs);
    });
    /** @type {Promise<import('node:dgram').Socket>} */
    const bound = new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, HOST, () => {
        this.bound.set(to, socket);
        resolve(socket);
      });
    });
    this.sockets.set(to, bound);
    return bound;
  }

  /** @param {number} to */
  #way(to) {
    const browser = this.browsers.get(to) ?? String(to);
    const known = this.ways.get(browser);
    if (known) return known;
    const way = new Way(
      (packet, from, end) => void this.#send(packet, from, end),
      (lateMs) => this.lateMs.push(lateMs),
    );
    this.ways.set(browser, way);
    return way;
  }

  /** @param {Buffer} packet @param {number} from @param {number} to */
  async #send(packet, from, to) {
    const socket = this.bound.get(from) ?? (await this.#socketFor(from));
    socket.send(packet, to, HOST);
  }
}

if (!isMainThread && parentPort) {
  const network = new DelayedNetwork();
  const port = parentPort;
  port.on('message', async ({ id, call, argument }) => {
    if (call === 'delay') network.delayMs = argument;
    if (call === 'own') network.own(argument);
    const result = call === 'wayTo' ? await network.wayTo(argument) : call === 'late' ? network.late() : undefined;
    port.postMessage({ id, result });
  });
}

/** Runs the network in a thread of its own. */
export function startNetwork() {
  const worker = new Worker(fileURLToPath(import.meta.url));
  /** @type {Map<number, (result: any) => void>} */
  const waiting = new Map();
  let calls = 0;
  worker.on('message', ({ id, result }) => {
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  /** @param {string} call @param {unknown} [argument] @returns {Promise<any>} */
  const ask = (call, argument) =>
    new Promise((resolve) => {
      waiting.set(calls, resolve);
      worker.postMessage({ id: calls++, call, argument });
    });
  return {
    /** A browser says which ports are its own. @param {number} port @param {string} browser */
    own: (port, browser) => ask('own', [port, browser]),
    /** Where the network stands for a port. @param {number} port @returns {Promise<number>} */
    wayTo: (port) => ask('wayTo', port),
    /** @param {number} oneWayMs */
    setDelay: (oneWayMs) => ask('delay', oneWayMs),
    /** @returns {Promise<{ packets: number, medianMs: number, p95Ms: number }>} */
    late: () => ask('late'),
    close: () => worker.terminate(),
  };
}
