import type { RoomModelView, RoomView } from '../../worker/api.ts';

/** What a device is given of a model, by hand. */
export interface LayersOfDevice {
  readonly device: string;
  readonly name: string;
  readonly freeBytes: number;
  readonly layers: number;
}

/** How the model lies now over devices that are here and compute, in the order of its layers; the others hold none. */
export function handsOf({ devices }: Pick<RoomView, 'devices'>, model: RoomModelView): readonly LayersOfDevice[] {
  const here = devices.filter(({ compute, presence }) => compute && presence === 'here');
  const stages = [...model.stages].sort((a, b) => a.first - b.first);
  const firstOf = (device: string) =>
    stages.find((stage) => stage.device === device)?.first ?? Number.POSITIVE_INFINITY;
  const layersOf = (device: string) =>
    stages.filter((stage) => stage.device === device).reduce((sum, { first, last }) => sum + last - first, 0);
  return here
    .map(({ device, name, freeBytes }) => ({ device, name, freeBytes, layers: layersOf(device) }))
    .sort((a, b) => firstOf(a.device) - firstOf(b.device) || b.freeBytes - a.freeBytes);
}

/** With another count for one device, from none to `most`. */
export function withLayers(
  given: readonly LayersOfDevice[],
  device: string,
  layers: number,
  most: number,
): readonly LayersOfDevice[] {
  const count = Number.isFinite(layers) ? Math.min(most, Math.max(0, Math.round(layers))) : 0;
  return given.map((each) => (each.device === device ? { ...each, layers: count } : each));
}

/** With the device at `index` before the one above it. */
export function moved(given: readonly LayersOfDevice[], index: number): readonly LayersOfDevice[] {
  const one = given[index];
  if (one === undefined || index === 0) return given;
  const rest = given.filter((_, i) => i !== index);
  return [...rest.slice(0, index - 1), one, ...rest.slice(index - 1)];
}
