import { SHADERS } from '../../shaders/index.ts';
import { InternalError } from '../errors.ts';

export type Constants = Readonly<Record<string, number | boolean | string>>;

/**
 * WGSL of a kernel for given constants. The files are WGSL with five additions, each alone on its line except `$`:
 * `#import parts/step` (once a module), `#if name`, `#if name == value`, `#else`, `#endif`, `#for i in 0..N` up to its
 * `#endfor` (written out once for each i below N, a number or a constant; `$i` is the count), and `$name` for a value.
 * `#import $format` imports the file that a constant names. `enable f16;` is put first when the constant f16 is true.
 */
export function specialize(name: string, constants: Constants, shaders: ReadonlyMap<string, string> = SHADERS): string {
  const lines: string[] = constants.f16 === true ? ['enable f16;'] : [];
  appendModule(name, constants, shaders, new Set(), lines);
  return `${lines.join('\n')}\n`;
}

function appendModule(
  name: string,
  constants: Constants,
  shaders: ReadonlyMap<string, string>,
  seen: Set<string>,
  out: string[],
): void {
  if (seen.has(name)) return;
  seen.add(name);
  const source = shaders.get(name);
  if (source === undefined) throw new InternalError(`There is no shader ${name}.`);
  const lines = source.split('\n');

  /** Appends lines [from, to), whose loops around them gave `values` their counts. */
  const append = (from: number, to: number, values: Constants): void => {
    const open: { taken: boolean }[] = [];
    const active = () => open.every((branch) => branch.taken);
    for (let at = from; at < to; at++) {
      const line = lines[at] ?? '';
      const directive = /^\s*#(\w+)\s*(.*?)\s*$/.exec(line);
      if (directive === null) {
        if (active()) out.push(substitute(line, values, name));
        continue;
      }
      const [, word, rest = ''] = directive;
      if (word === 'if') open.push({ taken: active() && holds(rest, values, name) });
      else if (word === 'else') {
        const branch = open.at(-1);
        if (branch === undefined) throw new InternalError(`#else without #if in shader ${name}.`);
        branch.taken = !branch.taken;
      } else if (word === 'endif') {
        if (open.pop() === undefined) throw new InternalError(`#endif without #if in shader ${name}.`);
      } else if (word === 'for') {
        const end = endOfLoop(lines, at, name);
        if (active()) {
          const { variable, count } = loop(rest, values, name);
          for (let i = 0; i < count; i++) append(at + 1, end, { ...values, [variable]: i });
        }
        at = end;
      } else if (word === 'import') {
        if (active()) appendModule(substitute(rest, values, name), constants, shaders, seen, out);
      } else throw new InternalError(`Shader ${name} has an unknown line: ${line.trim()}`);
    }
    if (open.length > 0) throw new InternalError(`Shader ${name} lacks an #endif.`);
  };
  append(0, lines.length, constants);
}

/** The line of the #endfor that ends the loop begun on line `start`. */
function endOfLoop(lines: readonly string[], start: number, shader: string): number {
  let depth = 0;
  for (let at = start; at < lines.length; at++) {
    const line = (lines[at] ?? '').trim();
    if (/^#for\b/.test(line)) depth++;
    if (/^#endfor\b/.test(line) && --depth === 0) return at;
  }
  throw new InternalError(`Shader ${shader} lacks an #endfor.`);
}

function loop(words: string, constants: Constants, shader: string): { variable: string; count: number } {
  const [, variable = '', end] = /^(\w+) in 0\.\.(\S+)$/.exec(substitute(words, constants, shader)) ?? [];
  const count = Number(end);
  if (!Number.isInteger(count)) throw new InternalError(`Shader ${shader} cannot count #for ${words}.`);
  return { variable, count };
}

function holds(condition: string, constants: Constants, shader: string): boolean {
  const [, not = '', name = '', operator, value] = /^(!?)(\w+)(?:\s*(==|!=|>=|<)\s*(\S+))?$/.exec(condition) ?? [];
  const constant = constants[name];
  if (constant === undefined) throw new InternalError(`Shader ${shader} asks for the constant ${name || condition}.`);
  if (operator === undefined)
    return (constant === true || (typeof constant === 'number' && constant !== 0)) !== (not === '!');
  if (operator === '==') return String(constant) === value;
  if (operator === '!=') return String(constant) !== value;
  return operator === '<' ? Number(constant) < Number(value) : Number(constant) >= Number(value);
}

function substitute(line: string, constants: Constants, shader: string): string {
  return line.replace(/\$(\w+)/g, (_, name: string) => {
    const value = constants[name];
    if (value === undefined) throw new InternalError(`Shader ${shader} asks for the constant ${name}.`);
    return String(value);
  });
}
