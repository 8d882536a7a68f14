import { html, nothing, svg, type TemplateResult } from 'lit';
import { styleMap } from 'lit/directives/style-map.js';

/** The mark: one dart is one layer. Drawn in a box of 12 by 8 around the origin. */
export const DART = 'M6 0C4-3.5 0-4-6-2.5Q-3.6 0-6 2.5C0 4 4 3.5 6 0Z';
const DART_FROM_TIP = 'c-2-3.5-6-4-12-2.5q2.4 2.5 0 5c6 1.5 10 1 12-2.5z';
const CELL = 14;
const HEIGHT = 8;
/** Between two devices. */
const GAP = 14;
/** CSS pixels that a layer takes at most: a mark keeps its shape where there are few. */
const WIDEST = 22;

export interface ScalesPicture {
  readonly layers: number;
  /** Full marks from the left; the rest is empty. */
  readonly full: number;
  /** The mark that is arriving, where one is. */
  readonly now?: number;
  /** What the empty ones look like: still to come, or not fitting. */
  readonly rest?: 'none' | 'hole';
  /** The sentence of the picture; absent when the words stand beside it. */
  readonly label?: string;
  /** Width a layer, CSS pixels: lists draw small marks. Absent: as wide as there is room. */
  readonly pixelsALayer?: number;
}

/** A model's layers in a row. */
export function scales(picture: ScalesPicture): TemplateResult {
  const { layers, now, rest = 'none', label, pixelsALayer } = picture;
  const full = Math.min(layers, picture.full);
  const after = now === undefined ? full : Math.max(full, now + 1);
  return html`<svg
    class="scales"
    viewBox="0 0 ${layers * CELL} ${HEIGHT}"
    preserveAspectRatio="none"
    role=${label ? 'img' : nothing}
    aria-label=${label ?? nothing}
    aria-hidden=${label ? nothing : 'true'}
    style=${styleMap(pixelsALayer ? { width: `${layers * pixelsALayer}px` } : { maxWidth: `${layers * WIDEST}px` })}
  >
    ${group('sc', 0, full)}${now === undefined ? nothing : group('sc now', now, now + 1)}
    ${group(`sc ${rest}`, after, layers)}
  </svg>`;
}

/** Layers that lie together, on one device. */
export interface ScalesPart {
  readonly layers: number;
  /** Full marks from the left. */
  readonly full: number;
  readonly now?: number;
  /** What the rest looks like. */
  readonly rest?: 'none' | 'hole';
}

/** A model's layers over several devices: a gap is the border between two. */
export function scalesOver(parts: readonly ScalesPart[], label?: string): TemplateResult {
  const layers = parts.reduce((sum, part) => sum + part.layers, 0);
  const width = layers * CELL + Math.max(0, parts.length - 1) * GAP;
  let x = 0;
  const drawn = parts.map(({ layers: count, full, now, rest = 'none' }) => {
    const at = x;
    x += count * CELL + GAP;
    const after = now === undefined ? full : Math.max(full, now + 1);
    return svg`<g transform="translate(${at} 0)">${group('sc', 0, full)}${
      now === undefined ? nothing : group('sc now', now, now + 1)
    }${group(`sc ${rest}`, after, count)}</g>`;
  });
  return html`<svg
    class="scales"
    viewBox="0 0 ${Math.max(1, width)} ${HEIGHT}"
    preserveAspectRatio="none"
    role=${label ? 'img' : nothing}
    aria-label=${label ?? nothing}
    aria-hidden=${label ? nothing : 'true'}
    style=${styleMap({ maxWidth: `${(width / CELL) * WIDEST}px` })}
  >
    ${drawn}
  </svg>`;
}

/** The same in two staggered rows, as fish swim: for the large picture of a first visit. */
export function school(layers: number, full: number, label: string): TemplateResult {
  const columns = Math.ceil(layers / 2);
  const width = columns * CELL + CELL / 2;
  const place = (from: number, to: number) => {
    let path = '';
    for (let i = from; i < to; i++) {
      const x = Math.floor(i / 2) * CELL + (i % 2 ? CELL / 2 : 0) + CELL - 1;
      path += `M${x} ${i % 2 ? HEIGHT * 1.75 : HEIGHT / 2}${DART_FROM_TIP}`;
    }
    return path;
  };
  return html`<svg class="schoolpic" viewBox="0 0 ${width} ${HEIGHT * 2.25}" role="img" aria-label=${label}>
    ${svg`<path class="sc" d=${place(0, full)} /><path class="sc hole" d=${place(full, layers)} />`}
  </svg>`;
}

function group(className: string, from: number, to: number) {
  return to > from ? svg`<path class=${className} d=${row(from, to)} />` : nothing;
}

const rows = new Map<number, string>();
function row(from: number, to: number): string {
  const key = from * 1000 + to;
  const known = rows.get(key);
  if (known !== undefined) return known;
  let path = '';
  for (let i = from; i < to; i++) path += `M${i * CELL + CELL - 1} ${HEIGHT / 2}${DART_FROM_TIP}`;
  rows.set(key, path);
  return path;
}

/** One mark, beside a word for what happens now. */
export const dart = html`<svg class="dart" viewBox="-6.5 -4.5 13 9" aria-hidden="true"><path d=${DART} /></svg>`;

export function logo(size: number): TemplateResult {
  return html`<svg class="mark" width=${size} height=${size} viewBox="0 0 32 32" aria-hidden="true">
    <path class="a" transform="translate(9.5 8.2) scale(1.42)" d=${DART} />
    <path class="a" transform="translate(9.5 23.8) scale(1.42)" d=${DART} />
    <path class="b" transform="translate(22.3 16) scale(1.42)" d=${DART} />
  </svg>`;
}
