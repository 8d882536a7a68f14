import { constantsFor } from './constants.ts';
import { report } from './report.ts';
import { Simulation } from './simulation.ts';

/** npm run simulate -- [--hours H] [--devices N] [--seed S] [--json] [--trace] [--set NAME=JSON …] */
export function main(args: readonly string[]): number {
  const number = (name: string, otherwise: number) => {
    const at = args.indexOf(`--${name}`);
    const value = at < 0 ? otherwise : Number(args[at + 1]);
    if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number, not ${args[at + 1]}`);
    return value;
  };
  const devices = number('devices', 6);
  const constants = { ...constantsFor(devices, number('hours', 1), number('seed', 1)), ...changes(args) };
  const began = performance.now();
  const cpuBegan = process.cpuUsage();
  const trace = args.includes('--trace') ? (line: string) => console.log(line) : undefined;
  const simulation = new Simulation(constants, undefined, trace);
  const tally = simulation.run();
  const { user, system } = process.cpuUsage(cpuBegan);
  const result = report(simulation, tally, (performance.now() - began) / 1000, (user + system) / 1e6);
  console.log(args.includes('--json') ? JSON.stringify(result) : JSON.stringify(result, undefined, 2));
  return tally.answersLost + tally.wrongTokens + tally.stuck > 0 ? 1 : 0;
}

function changes(args: readonly string[]): Record<string, unknown> {
  const named = args.filter((_, index) => args[index - 1] === '--set').map((text) => text.split('='));
  return Object.fromEntries(named.map(([name, json]) => [name, JSON.parse(json ?? '')]));
}
