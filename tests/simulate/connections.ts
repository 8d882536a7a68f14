import { TICK_MS } from '../../worker/mesh/room/constants.ts';
import type { SimDevice, SimEffect, SimInput } from './device.ts';
import type { Link } from './network.ts';
import type { World } from './world.ts';

/** Links between devices as their hosts keep them: opened, closed, and beats where nothing else was said. */
export class Connections {
  readonly #world: World;
  /** When each device last sent something on each link: by from * devices + to. */
  readonly #saidMs: Float64Array;

  constructor(world: World) {
    this.#world = world;
    this.#saidMs = new Float64Array(world.constants.devices ** 2);
  }

  post(device: SimDevice, peer: string, input: SimInput): void {
    const to = this.#world.byId.get(peer);
    if (to === undefined) return;
    this.#saidMs[device.index * this.#world.constants.devices + to.index] = this.#world.nowMs;
    this.#world.network.send(this.#world.nowMs, device.index, to.index, input);
  }

  sendBeats(device: SimDevice): void {
    const { node, index, id, isHidden } = device;
    if (node === undefined || isHidden) return;
    const beat: SimInput = { kind: 'beat', peer: id };
    for (const to of this.#world.devices) {
      if (to === device || !this.#isOpen(device, to)) continue;
      const at = index * this.#world.constants.devices + to.index;
      if (this.#world.nowMs - (this.#saidMs[at] as number) < TICK_MS - 1) continue;
      this.#saidMs[at] = this.#world.nowMs;
      this.#world.network.send(this.#world.nowMs, index, to.index, beat);
    }
  }

  /** What waits to go to peers and moves on. */
  moving({ index, node }: SimDevice): SimInput[] {
    const inputs: SimInput[] = [];
    for (const peer of node?.links.up() ?? []) {
      const to = this.#world.byId.get(peer);
      const sessions = to === undefined ? [] : this.#world.network.moving(index, to.index);
      if (sessions.length > 0) inputs.push({ kind: 'moving', peer, sessions });
    }
    return inputs;
  }

  withdraw({ index }: SimDevice, effect: Extract<SimEffect, { kind: 'withdraw' }>): void {
    const { peer, session, slot, attempt } = effect;
    const to = this.#world.byId.get(peer);
    if (to !== undefined) this.#world.network.withdraw(index, to.index, session, slot, attempt);
  }

  connect(device: SimDevice, peer: string): void {
    const to = this.#world.byId.get(peer);
    if (to === undefined || to.id !== peer) {
      // nobody is there under that name any more
      const input = { kind: 'connect-failed' as const, peer };
      this.#world.plan(device, this.#world.constants.connectFailsMs, { kind: 'input', input });
      return;
    }
    // a window calls nobody to whom it has a connection
    if (this.#isOpen(device, to)) return;
    const link = this.#world.network.link(device.index, to.index);
    link.asking.push(device.index);
    if (link.asking.length > 1) return;
    this.#world.push(this.#world.nowMs + this.#world.random.between(...this.#world.constants.connectMs), {
      kind: 'connected',
      link,
    });
  }

  connected(link: Link): void {
    const low = this.#world.devices[link.low] as SimDevice;
    const high = this.#world.devices[link.high] as SimDevice;
    const asking = link.asking.splice(0);
    if (!low.listens || !high.listens || this.#world.network.isApart(low.index, high.index)) {
      this.#world.trace(`${link.low} ${link.high} not linked`);
      for (const index of new Set(asking)) {
        const asker = this.#world.devices[index] as SimDevice;
        const peer = (asker === low ? high : low).id;
        if (!asker.isUp) continue;
        const input = { kind: 'connect-failed' as const, peer };
        this.#world.plan(asker, this.#world.constants.connectFailsMs, { kind: 'input', input });
      }
      return;
    }
    const { openLow, openHigh } = link;
    this.#world.trace(`${link.low} ${link.high} linked`);
    this.#world.network.open(link);
    this.#world.tally.linksOpened++;
    if (openLow) this.#world.give(low, { kind: 'link-closed', peer: high.id });
    if (openHigh) this.#world.give(high, { kind: 'link-closed', peer: low.id });
    this.#world.give(low, { kind: 'link-open', peer: high.id });
    this.#world.give(high, { kind: 'link-open', peer: low.id });
  }

  /** Connections of which the device that has them knows nothing, and links without one. */
  get strays(): number {
    let count = 0;
    for (const device of this.#world.devices) {
      for (const to of this.#world.devices) {
        if (to === device || device.node === undefined) continue;
        if (this.#isOpen(device, to) !== device.node.links.isUp(to.id)) count++;
      }
    }
    return count;
  }

  #isOpen(device: SimDevice, to: SimDevice): boolean {
    const { network } = this.#world;
    return network.isOpen(network.link(device.index, to.index), device.index);
  }

  disconnect(device: SimDevice, peer: string): void {
    const to = this.#world.byId.get(peer);
    if (to === undefined) return;
    const link = this.#world.network.link(device.index, to.index);
    this.#world.trace(`${device.index} disconnects ${to.index}`);
    // the other side hears of it if it can, after what was sent before
    this.#world.network.send(this.#world.nowMs, device.index, to.index, { kind: 'link-closed', peer: device.id });
    this.#world.network.close(link, device.index);
  }
}
