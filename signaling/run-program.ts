import { spawn } from 'node:child_process';

/** How a program ended; `code` is undefined where it could not be started or took too long. */
export interface ProgramResult {
  readonly code: number | undefined;
  readonly output: string;
  readonly errors: string;
}

/** What is kept of what a program says, characters: enough for its last words. */
const KEPT_OUTPUT = 20_000;

/** Runs a program without a terminal until it ends or `timeoutMs` have passed. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly timeoutMs: number; readonly env?: NodeJS.ProcessEnv; readonly signal?: AbortSignal },
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: options.env ?? process.env,
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      signal: options.signal,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (data: Buffer) => {
      output = (output + data.toString('utf8')).slice(-KEPT_OUTPUT);
    });
    child.stderr.on('data', (data: Buffer) => {
      errors = (errors + data.toString('utf8')).slice(-KEPT_OUTPUT);
    });
    child.on('error', (error) => resolve({ code: undefined, output, errors: errors + error.message }));
    child.on('close', (code) => resolve({ code: code ?? undefined, output, errors }));
  });
}
