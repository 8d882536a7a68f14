// @ts-check
import { spawn } from 'node:child_process';

/**
 * Runs a program to its end and keeps what it said.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options]
 * @returns {Promise<{ code: number, output: string, errors: string }>} code is -1 where the program could not be started
 */
export function runQuietly(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      timeout: options.timeoutMs,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: needsShell(program),
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (errors += data));
    child.on('error', (error) => resolve({ code: -1, output, errors: errors + error.message }));
    child.on('close', (code) => resolve({ code: code ?? -1, output, errors }));
  });
}

/**
 * As runQuietly, but a failure is an error that ends with what the program said last.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {Parameters<typeof runQuietly>[2]} [options]
 */
export async function runOrThrow(program, args, options) {
  const result = await runQuietly(program, args, options);
  if (result.code !== 0) {
    const said = `${result.output}\n${result.errors}`.trim().split('\n').slice(-5).join('\n');
    throw new Error(`${program} ${args[0] ?? ''} ended with ${result.code}: ${said}`);
  }
  return result.output;
}

/**
 * Runs a program with this terminal as its own; resolves to its exit code.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function runLoudly(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...(options.env ?? process.env), ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }) },
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: needsShell(program),
    });
    child.on('error', (error) => {
      console.error(error.message);
      resolve(127);
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/**
 * npm and npx are batch files on Windows, which Node starts only through a shell.
 * @param {string} program
 */
function needsShell(program) {
  return process.platform === 'win32' && /^(npm|npx)$/.test(program);
}
