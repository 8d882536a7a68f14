import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { computerName, findLocalName, labelOf, type Mdns, type MdnsAnswer, type MdnsQuestion } from './local-name.ts';

/** A network on which everybody hears what everybody says. */
class Network {
  readonly #ends = new Set<EventEmitter>();

  readonly open = (): Mdns => {
    const end = new EventEmitter();
    this.#ends.add(end);
    const say = (event: string, packet: unknown) => {
      for (const each of this.#ends) setImmediate(() => each.emit(event, packet));
    };
    return Object.assign(end, {
      query: (questions: readonly MdnsQuestion[]) => say('query', { questions }),
      respond: (answers: readonly MdnsAnswer[]) => say('response', { answers }),
      destroy: () => {
        this.#ends.delete(end);
        end.removeAllListeners();
      },
    }) as unknown as Mdns;
  };

  /** A computer that answers to `name`. */
  join(name: string, address: string): void {
    const mdns = this.open();
    mdns.on('query', ({ questions }) => {
      if (questions.some((question) => question.name === name)) mdns.respond([{ name, type: 'A', data: address }]);
    });
  }

  /** The addresses that answer to `name`. */
  async resolve(name: string): Promise<readonly string[]> {
    const mdns = this.open();
    const found: string[] = [];
    mdns.on('response', ({ answers }) => {
      for (const answer of answers) if (answer.name === name) found.push(String(answer.data));
    });
    mdns.query([{ name, type: 'A' }]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    mdns.destroy();
    return found;
  }

  get size(): number {
    return this.#ends.size;
  }
}

const ANSWER_MS = 60;

describe('the .local name', () => {
  it('is the one to which the system answers already', async () => {
    const network = new Network();
    network.join('laptop.local', '192.168.1.5');
    const name = await findLocalName('laptop', ['192.168.1.5'], network.open, ANSWER_MS);
    expect(name).toEqual({ kind: 'system', name: 'laptop.local' });
    expect(network.size).toBe(1);
  });

  it('is answered from here where nobody does, and follows the addresses', async () => {
    const network = new Network();
    const name = await findLocalName('laptop', ['192.168.1.5'], network.open, ANSWER_MS);
    expect(name).toMatchObject({ kind: 'own', name: 'laptop.local' });
    expect(await network.resolve('laptop.local')).toEqual(['192.168.1.5']);
    expect(await network.resolve('other.local')).toEqual([]);
    if (name.kind !== 'own') throw new Error('not its own');
    name.moveTo(['192.168.1.77', '10.0.0.2']);
    expect([...(await network.resolve('laptop.local'))].sort()).toEqual(['10.0.0.2', '192.168.1.77']);
    name.close();
    expect(await network.resolve('laptop.local')).toEqual([]);
    expect(network.size).toBe(0);
  });

  it('is another where another computer has it', async () => {
    const network = new Network();
    network.join('laptop.local', '192.168.1.9');
    expect(await findLocalName('laptop', ['192.168.1.5'], network.open, ANSWER_MS)).toMatchObject({
      name: 'laptop-shoal.local',
    });
    network.join('laptop-shoal.local', '192.168.1.10');
    const none = await findLocalName('laptop', ['192.168.1.6'], network.open, ANSWER_MS);
    expect(none).toMatchObject({ kind: 'none', reason: expect.stringContaining('other computers') });
  });

  it('is none where multicast DNS cannot be opened, with the reason', async () => {
    const refuses = (): Mdns => {
      throw new Error('bind EACCES 0.0.0.0:5353');
    };
    expect(await findLocalName('laptop', ['192.168.1.5'], refuses, ANSWER_MS)).toEqual({
      kind: 'none',
      reason: 'bind EACCES 0.0.0.0:5353',
    });
    const failsLater = (): Mdns => {
      const mdns = new Network().open();
      setImmediate(() => (mdns as unknown as EventEmitter).emit('error', new Error('EADDRINUSE')));
      return mdns;
    };
    expect(await findLocalName('laptop', ['192.168.1.5'], failsLater, ANSWER_MS)).toMatchObject({ kind: 'none' });
    expect(await findLocalName('laptop', [], new Network().open, ANSWER_MS)).toMatchObject({ kind: 'none' });
  });

  it.each([
    ['Annes-MacBook-Air.local', 'annes-macbook-air'],
    ["Anne's PC", 'anne-s-pc'],
    ['DESKTOP-4F2K', 'desktop-4f2k'],
    ['localhost', 'shoal'],
    ['', 'shoal'],
    ['电脑', 'shoal'],
  ])('of a computer called %j begins with %j', (hostname, label) => {
    expect(labelOf(hostname)).toBe(label);
  });

  it('is a name whatever the computer is called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (hostname) => {
        expect(labelOf(hostname)).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
      }),
    );
  });

  it('comes from the system', async () => {
    expect(await computerName('laptop', 'linux')).toBe('laptop');
  });
});
