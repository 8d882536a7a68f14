import { SHADERS } from '../../shaders/index.ts';
import { InternalError } from '../errors.ts';

export type Constants = Readonly<Record<string, number | boolean | string>>;

/**
 * WGSL of a kernel for given constants. The files are WGSL with four additions, each alone on its line except `$`:
 * `#import parts/step` (once a module), `#if name`, `#if name == value`, `#else`, `#endif`, and `$name` for a value.
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
  lines: string[],
): void {
  if (seen.has(name)) return;
  seen.add(name);
  const source = shaders.get(name);
  if (source === undefined) throw new InternalError(`There is no shader ${name}.`);
  const open: { taken: boolean }[] = [];
  const active = () => open.every((branch) => branch.taken);
  for (const line of source.split('\n')) {
    const directive = /^\s*#(\w+)\s*(.*?)\s*$/.exec(line);
    if (directive === null) {
      if (active()) lines.push(substitute(line, constants, name));
      continue;
    }
    const [, word, rest = ''] = directive;
    if (word === 'if') open.push({ taken: holds(rest, constants, name) });
    else if (word === 'else') {
      const branch = open.at(-1);
      if (branch === undefined) throw new InternalError(`#else without #if in shader ${name}.`);
      branch.taken = !branch.taken;
    } else if (word === 'endif') {
      if (open.pop() === undefined) throw new InternalError(`#endif without #if in shader ${name}.`);
    } else if (word === 'import') {
      if (active()) appendModule(substitute(rest, constants, name), constants, shaders, seen, lines);
    } else throw new InternalError(`Shader ${name} has an unknown line: ${line.trim()}`);
  }
  if (open.length > 0) throw new InternalError(`Shader ${name} lacks an #endif.`);
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
