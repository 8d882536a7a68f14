/** A kernel that counts its loads from some of its bindings, in a buffer that it got in addition. */
export interface CountingKernel {
  readonly source: string;
  /** Binding of the counts: bytes, u32, one for each counted binding in the order in which they were asked for. */
  readonly countsBinding: number;
}

/**
 * Rewrites WGSL so that every load `name[index]` from the given bindings counts its bytes: those of one component where
 * `.x` or `[i]` follows, and those of the whole element else, also where some of its components are used.
 * @throws Error where a binding is used in any other way than by an index
 */
export function countLoads(source: string, bindings: readonly number[]): CountingKernel {
  let text = source.replace(/\/\/[^\n]*/g, '');
  const countsBinding = 1 + Math.max(...[...text.matchAll(/@binding\((\d+)\)/g)].map(([, binding]) => Number(binding)));
  const names = bindings.map((binding) => declarationOf(text, binding));
  for (const [i, { name, element }] of names.entries()) {
    const counter = { function: `counted_${i}`, bytes: sizeOf(element, text), lanes: lanesOf(element, text) };
    text = rewrite(renameParameters(text, name), name, counter);
  }
  const functions = names.map(
    (_, i) =>
      `fn counted_${i}(index: u32, bytes: u32) -> u32 {\n  atomicAdd(&load_counts[${i}], bytes);\n  return index;\n}`,
  );
  const counts = `@group(0) @binding(${countsBinding}) var<storage, read_write> load_counts: array<atomic<u32>>;`;
  return { source: `${text}\n${counts}\n${functions.join('\n')}\n`, countsBinding };
}

function declarationOf(text: string, binding: number): { readonly name: string; readonly element: string } {
  const declaration = new RegExp(
    `@group\\(0\\)\\s*@binding\\(${binding}\\)\\s*var<storage[^>]*>\\s*(\\w+)\\s*:\\s*array<([^;]+)>\\s*;`,
  );
  const [, name, element] = declaration.exec(text) ?? [];
  if (name === undefined || element === undefined) throw new Error(`Binding ${binding} is no array in storage.`);
  return { name, element: element.trim() };
}

const SCALAR_BYTES: Readonly<Record<string, number>> = { u32: 4, i32: 4, f32: 4, f16: 2 };

function sizeOf(type: string, text: string): number {
  const known = SCALAR_BYTES[type];
  if (known !== undefined) return known;
  const { lanes, scalar } = vectorOf(type, text);
  return lanes * sizeOf(scalar, text);
}

function lanesOf(type: string, text: string): number {
  return SCALAR_BYTES[type] === undefined ? vectorOf(type, text).lanes : 1;
}

const SHORT: Readonly<Record<string, string>> = { u: 'u32', i: 'i32', f: 'f32', h: 'f16' };

function vectorOf(type: string, text: string): { readonly lanes: number; readonly scalar: string } {
  const [, lanes, short, long] = /^vec([24])(?:([uifh])|<\s*(\w+)\s*>)$/.exec(type) ?? [];
  const scalar = long ?? SHORT[short ?? ''];
  if (lanes !== undefined && scalar !== undefined) return { lanes: Number(lanes), scalar };
  const [, alias] = new RegExp(`alias\\s+${type}\\s*=\\s*([^;]+);`).exec(text) ?? [];
  if (alias === undefined) throw new Error(`The size of an element of type ${type} is not known.`);
  const name = alias.trim();
  return SCALAR_BYTES[name] === undefined ? vectorOf(name, text) : { lanes: 1, scalar: name };
}

interface Counter {
  readonly function: string;
  /** Of an element, and its components. */
  readonly bytes: number;
  readonly lanes: number;
}

/** Functions may have a parameter of that name, which is another thing. */
function renameParameters(text: string, name: string): string {
  const named = new RegExp(`(?<![\\w.])${name}\\b`, 'g');
  let result = '';
  let at = 0;
  for (const { index } of text.matchAll(/\bfn\s+\w+\s*\(/g)) {
    const open = text.indexOf('(', index);
    const body = closing(text, open, '()');
    const end = closing(text, text.indexOf('{', body), '{}') + 1;
    const isParameter = new RegExp(`(?<![\\w.])${name}\\s*:`).test(text.slice(open, body));
    const part = text.slice(index, end);
    result += text.slice(at, index) + (isParameter ? part.replace(named, `${name}_parameter`) : part);
    at = end;
  }
  return result + text.slice(at);
}

/** `name[index]` becomes `name[counter(index)]`, but not where it is assigned to. */
function rewrite(text: string, name: string, counter: Counter): string {
  const use = new RegExp(`(?<![\\w.])${name}\\b\\s*`, 'g');
  let result = '';
  let at = 0;
  for (let match = use.exec(text); match !== null; match = use.exec(text)) {
    const end = use.lastIndex;
    const isDeclared = /var<storage[^>]*>\s*$/.test(text.slice(0, match.index));
    const isMeasured = /arrayLength\(\s*&\s*$/.test(text.slice(0, match.index));
    if (isDeclared || isMeasured) continue;
    if (text[end] !== '[') throw new Error(`${name} is used without an index: ${lineAt(text, match.index)}`);
    const close = closing(text, end);
    if (isAssigned(text.slice(close + 1))) continue;
    const index = rewrite(text.slice(end + 1, close), name, counter);
    const isComponent = counter.lanes > 1 && /^\s*(\[|\.[xyzwrgba]\b)/.test(text.slice(close + 1));
    const bytes = isComponent ? counter.bytes / counter.lanes : counter.bytes;
    result += `${text.slice(at, end + 1)}${counter.function}(${index}, ${bytes}u)]`;
    at = close + 1;
    use.lastIndex = at;
  }
  return result + text.slice(at);
}

/** Whether what stands behind an element, its parts aside, is `=`. */
function isAssigned(rest: string): boolean {
  let text = rest;
  for (;;) {
    text = text.trimStart();
    if (text.startsWith('[')) text = text.slice(closing(text, 0) + 1);
    else if (/^\.\w+/.test(text)) text = text.replace(/^\.\w+/, '');
    else return /^=(?!=)/.test(text);
  }
}

function closing(text: string, open: number, [opens, closes] = '[]'): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === opens) depth++;
    else if (text[i] === closes && --depth === 0) return i;
  }
  throw new Error(`A bracket is not closed: ${lineAt(text, open)}`);
}

function lineAt(text: string, at: number): string {
  const from = text.lastIndexOf('\n', at) + 1;
  const to = text.indexOf('\n', at);
  return text.slice(from, to < 0 ? undefined : to).trim();
}
