/** Web Locks, where the page may use them: a browser that blocks site data has them, and denies each request. */
export async function grantedLocks(): Promise<Navigator['locks'] | undefined> {
  const { locks } = navigator as { readonly locks?: Navigator['locks'] };
  try {
    await locks?.query();
    return locks;
  } catch {
    return undefined;
  }
}
