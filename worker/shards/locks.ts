/** The part of Web Locks that the store uses; `navigator.locks` fits. */
export interface Locks {
  request<T>(
    name: string,
    options: { readonly signal?: AbortSignal; readonly ifAvailable?: boolean },
    callback: (lock: unknown) => Promise<T>,
  ): Promise<T>;
}

/** Takes a lock, waiting for it; the function returned lets it go. Closing the window lets it go too. */
export function holdLock(locks: Locks, name: string, signal: AbortSignal): Promise<() => void> {
  return hold(locks, name, { signal }) as Promise<() => void>;
}

/** Takes a lock if nobody has it. */
export function tryLock(locks: Locks, name: string): Promise<(() => void) | undefined> {
  // Web Locks refuse `signal` together with `ifAvailable`.
  return hold(locks, name, { ifAvailable: true });
}

function hold(locks: Locks, name: string, options: { signal?: AbortSignal; ifAvailable?: boolean }) {
  return new Promise<(() => void) | undefined>((resolve, reject) => {
    const whole = locks.request(name, options, (lock) =>
      lock ? new Promise<void>((release) => resolve(release)) : Promise.resolve(resolve(undefined)),
    );
    whole.catch(reject);
  });
}

/** Locks within one process, for where there are no Web Locks (Node, and its one process is enough). */
export function createMemoryLocks(): Locks {
  const tails = new Map<string, Promise<void>>();
  return {
    async request(name, { signal, ifAvailable }, callback) {
      signal?.throwIfAborted();
      const before = tails.get(name);
      if (ifAvailable && before) return callback(null);
      let release = () => {};
      const mine = new Promise<void>((resolve) => {
        release = resolve;
      });
      const tail = (before ?? Promise.resolve()).then(() => mine);
      tails.set(name, tail);
      void tail.then(() => {
        if (tails.get(name) === tail) tails.delete(name);
      });
      try {
        if (before) await unlessAborted(before, signal);
        return await callback({ name });
      } finally {
        release();
      }
    },
  };
}

function unlessAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    void promise.then(() => {
      signal.removeEventListener('abort', leave);
      resolve();
    });
  });
}
