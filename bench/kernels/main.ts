import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { StorageType } from '../../worker/gpu/device.ts';
import { type ListedKernel, listKernels, MODELS } from './list.ts';
import { NARROW, USUAL } from './paper-gpu.ts';

const USAGE = `npm run kernels -- DIR [--narrow]

Writes every kernel that loads or runs SmolLM2-135M (Q4_0, Q4_1, Q8_0, F16, BF16), Llama-3.2-1B or Qwen3-4B (Q4_K_M, Q8_0, F16),
as it is compiled, into DIR: NAME.wgsl, and NAME.json which says what it is. Activations are in f16 and in f32.
--narrow  as on a GPU with no more than WebGPU guarantees: 16 KiB of workgroup memory, 256 threads`;

const STORAGES: readonly StorageType[] = ['f16', 'f32'];

/** What stands beside a kernel's WGSL. */
export interface KernelDescription {
  readonly role: string;
  readonly format?: string;
  readonly planes?: readonly { readonly binding: number; readonly bits: number }[];
  readonly rows?: number;
  readonly tile?: readonly [number, number];
  readonly headSize?: number;
  readonly storage: StorageType;
  readonly subgroups: boolean;
  /** Which of the models run it. */
  readonly models: readonly string[];
}

export async function main(args: readonly string[]): Promise<number> {
  const [folder] = args.filter((argument) => !argument.startsWith('--'));
  if (folder === undefined || args.some((argument) => argument.startsWith('--') && argument !== '--narrow')) {
    console.error(USAGE);
    return 1;
  }
  const written = await writeKernels(folder, args.includes('--narrow'));
  console.log(`${written} kernels in ${folder}`);
  return 0;
}

/** @returns how many */
export async function writeKernels(folder: string, narrow = false): Promise<number> {
  await mkdir(folder, { recursive: true });
  const sources = new Set<string>();
  const names = new Set<string>();
  for (const storage of STORAGES) {
    for (const [source, listed] of await listKernels(MODELS, storage, narrow ? NARROW : USUAL)) {
      // what keeps no activations is the same in both
      if (sources.has(source)) continue;
      sources.add(source);
      const name = nameOf(listed, names);
      await writeFile(path.join(folder, `${name}.wgsl`), source);
      await writeFile(path.join(folder, `${name}.json`), `${JSON.stringify(describe(listed), undefined, 2)}\n`);
    }
  }
  return sources.size;
}

export function describe({ kernel: { about, source }, models }: ListedKernel): KernelDescription {
  return {
    ...about,
    storage: storageOf(source),
    subgroups: /^enable subgroups;/m.test(source),
    models,
  };
}

function storageOf(source: string): StorageType {
  return /^enable f16;/m.test(source) ? 'f16' : 'f32';
}

/** What the kernel is called, and what sets it apart; numbered where that is not all. */
function nameOf({ kernel: { name, about, source } }: ListedKernel, taken: Set<string>): string {
  const { role, format, rows, tile, headSize } = about;
  const parts = [
    name.replaceAll('/', '-'),
    ...(format === undefined ? [] : [format]),
    ...(tile !== undefined ? [tile.join('x')] : rows !== undefined && rows > 1 ? [`${rows}-rows`] : []),
    ...(headSize === undefined ? [] : [`head-${headSize}`]),
    ...(role === 'other' ? [] : [storageOf(source)]),
  ];
  const stem = parts.join('.');
  let unique = stem;
  for (let i = 2; taken.has(unique); i++) unique = `${stem}.${i}`;
  taken.add(unique);
  return unique;
}
