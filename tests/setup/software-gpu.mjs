// @ts-check
// A Vulkan driver that computes on the CPU and knows 16-bit floats: lavapipe, from Mesa 24 or later.
// The machine's own one is used where it serves; else it comes from the machine's package mirror, unpacked into
// the cache and never installed.
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, fetchOnce } from './cache.mjs';
import { runOrThrow, runQuietly } from './command.mjs';

const PROBE_TIMEOUT_MS = 60_000;
const PACKAGES = ['mesa-vulkan-drivers', 'libvulkan1'];
// dlfcn.h of Linux: the library stays loaded although Node finds no module in it
const RTLD_NODELETE = 0x1000;

/**
 * @typedef {{ env: Record<string, string>, libraries: string[] }} SoftwareGpu
 *   env is for processes that are started with it; libraries are what this process loads first to use the driver itself
 */

/** @type {Promise<SoftwareGpu | { skipped: string }> | undefined} */
let found;

/**
 * Finds or fetches the driver, once a process; on macOS and Windows the machine's own GPU serves.
 * @returns {Promise<SoftwareGpu | { skipped: string }>}
 */
export function ensureSoftwareGpu() {
  found ??= find();
  return found;
}

/**
 * Makes the driver usable inside this process, which was started without its environment.
 * @param {SoftwareGpu} gpu
 */
export function loadDriver(gpu) {
  Object.assign(process.env, gpu.env);
  for (const library of gpu.libraries) loadLibrary(library, path.dirname(library));
}

async function find() {
  if (process.platform !== 'linux') return { env: {}, libraries: [] };
  const stock = await stockDriver();
  if (stock && (await serves(stock))) return stock;
  try {
    const fetched = await fetchedDriver();
    if (await serves(fetched)) return fetched;
    return { skipped: 'the software Vulkan driver was fetched but opens no adapter with shader-f16' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { skipped: `no software Vulkan driver with shader-f16, and none could be fetched: ${reason}` };
  }
}

async function stockDriver() {
  for (const folder of ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d']) {
    const files = existsSync(folder) ? await readdir(folder) : [];
    const icd = files.find((file) => file.startsWith('lvp_icd'));
    if (icd) return { env: environment(path.join(folder, icd)), libraries: [] };
  }
  return undefined;
}

async function fetchedDriver() {
  if (!existsSync('/usr/bin/apt-get')) throw new Error('this system has no apt-get');
  let folder = await fetchOnce('software-gpu', unpackDriver);
  if (await lacksLibraries(folder)) {
    // a package that the driver leans on left this machine since
    await rm(folder, { recursive: true, force: true });
    folder = await fetchOnce('software-gpu', unpackDriver);
  }
  const libraryFolder = await libraryFolderOf(folder);
  const driver = path.join(libraryFolder, 'libvulkan_lvp.so');
  // written here, not while unpacking: the cache may have been moved
  const icd = path.join(folder, 'lvp.json');
  const text = JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: driver, api_version: '1.4.305' } });
  if (!existsSync(icd) || (await readFile(icd, 'utf8')) !== text) await writeFile(icd, text);
  const searched = [libraryFolder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return {
    env: { ...environment(icd), LD_LIBRARY_PATH: searched },
    libraries: [path.join(libraryFolder, 'libvulkan.so.1'), driver].filter(existsSync),
  };
}

/** @param {string} icd */
function environment(icd) {
  return {
    VK_DRIVER_FILES: icd,
    VK_ICD_FILENAMES: icd,
    MESA_SHADER_CACHE_DIR: path.join(cacheFolder(), 'mesa-shaders'),
  };
}

/**
 * Downloads what this machine lacks of the driver, through lists and archives of its own, so that no root is needed.
 * @param {string} folder
 */
async function unpackDriver(folder) {
  const work = path.join(folder, 'apt');
  for (const part of ['sources', 'lists/partial', 'cache/archives/partial']) {
    await mkdir(path.join(work, part), { recursive: true });
  }
  await copySources(path.join(work, 'sources'));
  const backports = await addBackports(path.join(work, 'sources'));
  const options = [
    ['Dir::Etc::SourceList', '/dev/null'],
    ['Dir::Etc::SourceParts', path.join(work, 'sources')],
    ['Dir::State::Lists', path.join(work, 'lists')],
    ['Dir::Cache', path.join(work, 'cache')],
    ['Debug::NoLocking', '1'],
    ['APT::Sandbox::User', ''],
    ['Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled', 'false'],
    ['Acquire::Languages', 'none'],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  // one archive of several that does not answer is no reason to give up
  const update = await runQuietly('apt-get', [...options, '-qq', 'update']);
  const wanted = ['install', '--download-only', '-y', '-qq', '--no-install-recommends', '--reinstall'];
  const release = backports ? ['-t', backports] : [];
  await runOrThrow('apt-get', [...options, ...wanted, ...release, ...PACKAGES]).catch((error) => {
    throw new Error(`${error.message} ${update.errors.trim().split('\n').slice(-2).join(' ')}`);
  });
  const archives = path.join(work, 'cache/archives');
  for (const file of (await readdir(archives)).filter((name) => name.endsWith('.deb'))) {
    await runOrThrow('dpkg-deb', ['-x', path.join(archives, file), path.join(folder, 'root')]);
  }
  await rm(work, { recursive: true, force: true });
}

/** @param {string} to */
async function copySources(to) {
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder) ? (await readdir(folder)).map((name) => path.join(folder, name)) : [];
  if (existsSync('/etc/apt/sources.list')) files.push('/etc/apt/sources.list');
  for (const file of files.filter((name) => /\.(list|sources)$/.test(name))) {
    const text = await readFile(file, 'utf8');
    // a vendor's own archive has no driver, and may not answer
    if (/\b(debian|ubuntu)\b/i.test(text)) await writeFile(path.join(to, path.basename(file)), text);
  }
}

/**
 * Debian 12's own Mesa is too old for Dawn; its backports have a newer one, on the same mirror.
 * @param {string} sources
 * @returns {Promise<string | undefined>} the suite that was added
 */
async function addBackports(sources) {
  const release = existsSync('/etc/os-release') ? await readFile('/etc/os-release', 'utf8') : '';
  if (!/^VERSION_CODENAME=bookworm$/m.test(release)) return undefined;
  for (const file of await readdir(sources)) {
    const text = await readFile(path.join(sources, file), 'utf8');
    const mirror = text.match(/^[^#\n]*?\b(https?:\/\/\S+\/debian\/?)(?=\s|$)/m)?.[1];
    if (!mirror) continue;
    const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
    const source = `Types: deb\nURIs: ${mirror}\nSuites: bookworm-backports\nComponents: main\nSigned-By: ${key}\n`;
    await writeFile(path.join(sources, 'backports.sources'), source);
    return 'bookworm-backports';
  }
  throw new Error("no Debian mirror among this machine's package sources");
}

/** @param {string} folder */
async function libraryFolderOf(folder) {
  const base = path.join(folder, 'root/usr/lib');
  for (const triplet of await readdir(base)) {
    if (existsSync(path.join(base, triplet, 'libvulkan_lvp.so'))) return path.join(base, triplet);
  }
  throw new Error(`no libvulkan_lvp.so under ${base}`);
}

/** @param {string} folder */
async function lacksLibraries(folder) {
  const libraries = await libraryFolderOf(folder);
  const env = { ...process.env, LD_LIBRARY_PATH: libraries };
  const { output } = await runQuietly('ldd', [path.join(libraries, 'libvulkan_lvp.so')], { env });
  return output.includes('not found');
}

/**
 * Asks in a process of its own, since a driver that does not serve may end the process.
 * @param {SoftwareGpu} gpu
 */
async function serves(gpu) {
  const env = { ...process.env, ...gpu.env };
  const probe = await runQuietly(process.execPath, [fileURLToPath(import.meta.url), 'probe'], {
    env,
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  return probe.output.includes('shader-f16');
}

/**
 * @param {string} library
 * @param {string} folder where the libraries lie that it needs and the system lacks
 */
function loadLibrary(library, folder) {
  for (;;) {
    let message = '';
    try {
      process.dlopen({ exports: {} }, library, os.constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    } catch (error) {
      message = error instanceof Error ? error.message : String(error);
    }
    const missing = message.match(/^(\S+): cannot open shared object file/)?.[1];
    if (!missing) return;
    if (!existsSync(path.join(folder, missing))) throw new Error(`${library} needs ${missing}, which is not here`);
    loadLibrary(path.join(folder, missing), folder);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'probe') {
  const { create } = createRequire(import.meta.url)('webgpu');
  const gpu = create(['backend=vulkan']);
  Object.assign(globalThis, { gpu });
  const adapter = await gpu.requestAdapter();
  console.log(adapter ? [...adapter.features].join(' ') : 'no adapter');
  // Dawn's threads would keep the process alive
  process.exit(0);
}
