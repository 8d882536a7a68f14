import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exclusively } from '../lock.mjs';
import { type Authority, createAuthority, isAuthorityFresh, isLeafFresh, issueLeaf, type Leaf } from './authority.ts';

/** Keeps the authority and the server's certificate in a folder that only the owner may read. */
export class CertificateStore {
  readonly #folder: string;
  readonly #wallClock: () => number;

  constructor(folder: string, wallClock: () => number = Date.now) {
    this.#folder = folder;
    this.#wallClock = wallClock;
  }

  /**
   * A certificate for these names, kept or issued anew.
   * @param computer the name under which a new authority shows itself on devices
   */
  async certificateFor(names: readonly string[], computer: string): Promise<Leaf & { readonly root: string }> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    return exclusively(path.join(this.#folder, 'certificates.lock'), async () => {
      const now = this.#wallClock();
      let authority = await this.#readAuthority();
      if (!authority || !isAuthorityFresh(authority, now)) {
        authority = await createAuthority(`Shoal on ${computer}`, now);
        await this.#write('root.pem', authority.root);
        await this.#write('issuer.pem', authority.issuer);
        await this.#write('issuer.key', authority.issuerKey);
      }
      const kept = await this.#readLeaf();
      if (kept && isLeafFresh(kept, authority, names, now)) return { ...kept, root: authority.root };
      const leaf = await issueLeaf(authority, names, now);
      await this.#write('server.key', leaf.key);
      await this.#write('server.pem', leaf.chain);
      return { ...leaf, root: authority.root };
    });
  }

  async #readAuthority(): Promise<Authority | undefined> {
    const [root, issuer, issuerKey] = await Promise.all(['root.pem', 'issuer.pem', 'issuer.key'].map(this.#read));
    return root && issuer && issuerKey ? { root, issuer, issuerKey } : undefined;
  }

  async #readLeaf(): Promise<Leaf | undefined> {
    const [chain, key] = await Promise.all(['server.pem', 'server.key'].map(this.#read));
    return chain && key ? { chain, key } : undefined;
  }

  readonly #read = (name: string): Promise<string | undefined> =>
    readFile(path.join(this.#folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });

  /** Whole or not at all. */
  async #write(name: string, text: string): Promise<void> {
    const file = path.join(this.#folder, name);
    await rm(`${file}.new`, { force: true });
    await writeFile(`${file}.new`, text, { mode: 0o600, flag: 'wx' });
    await rename(`${file}.new`, file);
  }
}
