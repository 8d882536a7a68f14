import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from './run-program.ts';

/** A program that fetches packages from a Python package index and was seen to run. */
export interface PackageTool {
  /** As a person would type it, such as `python3 -m pip`. */
  readonly name: string;
  readonly program: string;
  /** Arguments that fetch `requirement` into `folder` without its dependencies: as a wheel, or unpacked. */
  fetchArguments(requirement: string, folder: string): readonly string[];
}

interface Candidate {
  readonly command: string;
  readonly before: readonly string[];
  readonly answers: RegExp;
  readonly fetch: (requirement: string, folder: string) => readonly string[];
}

const VERSION_TIMEOUT_MS = 20_000;

const pipFetch = (requirement: string, folder: string): readonly string[] => [
  ...['download', '--no-deps', '--only-binary=:all:', '--ignore-requires-python', '--no-cache-dir'],
  ...['--no-input', '--disable-pip-version-check', '--progress-bar', 'off', '--dest', folder, requirement],
];
// uv has no download: it installs into a folder instead
const uvFetch = (requirement: string, folder: string): readonly string[] => [
  ...['pip', 'install', '--no-deps', '--only-binary', ':all:', '--no-cache', '--no-progress'],
  ...['--target', folder, requirement],
];

const CANDIDATES: readonly Candidate[] = [
  { command: 'uv', before: [], answers: /^uv \d/, fetch: uvFetch },
  { command: 'pip', before: [], answers: /^pip \d/, fetch: pipFetch },
  { command: 'pip3', before: [], answers: /^pip \d/, fetch: pipFetch },
  { command: 'python3', before: ['-m', 'pip'], answers: /^pip \d/, fetch: pipFetch },
  { command: 'python', before: ['-m', 'pip'], answers: /^pip \d/, fetch: pipFetch },
];

/**
 * The tools of this machine that really run, best first. What only pretends to be one is left out: macOS's
 * /usr/bin/python3 without the command line tools (it would open an installer), Windows' alias to its store, a version
 * manager's shim without a version, each of which is on the PATH and answers no version.
 */
export async function* workingTools(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): AsyncGenerator<PackageTool> {
  for (const candidate of CANDIDATES) {
    for (const program of await programsOnPath(candidate.command, environment, platform)) {
      if (await wouldOpenInstaller(program, environment, platform)) continue;
      const version = [...candidate.before, '--version'];
      const { code, output } = await runProgram(program, version, { timeoutMs: VERSION_TIMEOUT_MS, env: environment });
      if (code !== 0 || !candidate.answers.test(output.trim())) continue;
      yield {
        name: [candidate.command, ...candidate.before].join(' '),
        program,
        fetchArguments: (requirement, folder) => [...candidate.before, ...candidate.fetch(requirement, folder)],
      };
      break;
    }
  }
}

async function programsOnPath(
  command: string,
  environment: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
): Promise<readonly string[]> {
  const windows = platform === 'win32';
  const folders = (environment.PATH ?? environment.Path ?? '').split(windows ? ';' : ':').filter(Boolean);
  const files = folders.map((folder) => path.join(folder, windows ? `${command}.exe` : command));
  const usable: string[] = [];
  for (const file of new Set(files)) {
    const exists = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (exists) usable.push(file);
  }
  return usable;
}

/** Apple's stubs in /usr/bin work once `xcode-select -p` names developer tools; before, they open a window. */
async function wouldOpenInstaller(
  program: string,
  environment: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
): Promise<boolean> {
  if (platform !== 'darwin' || path.dirname(program) !== '/usr/bin') return false;
  const [select] = await programsOnPath('xcode-select', environment, platform);
  if (!select) return true;
  const { code } = await runProgram(select, ['-p'], { timeoutMs: VERSION_TIMEOUT_MS, env: environment });
  return code !== 0;
}
