import * as Comlink from 'comlink';
import type { RoomApi, WorkerApi } from './api.ts';
import { fromWire, toWire, type WireError } from './errors.ts';

/** The worker as its callers see it: its methods, which throw ShoalErrors. */
export type WorkerClient = WorkerApi & RoomApi;

type Outcome = { readonly ok: unknown } | { readonly error: WireError };
type Call = (method: string, parameters: unknown[], callback?: (...event: unknown[]) => unknown) => Promise<Outcome>;
type Methods = Record<string, (...parameters: unknown[]) => Promise<unknown>>;

/**
 * Serves `api` at `endpoint`: errors go over as data, since structured clone drops their classes. What is asked before the
 * worker has started, as by somebody who picks a file at once, is answered when it has.
 */
export function serveWorker(api: WorkerApi, endpoint?: Comlink.Endpoint): void {
  const methods = api as unknown as Methods;
  let hasStarted: (value?: unknown) => void = () => {};
  const started = new Promise<unknown>((resolve) => {
    hasStarted = resolve;
  });
  const call: Call = async (method, parameters, callback) => {
    let arrived: unknown;
    const told = (...event: unknown[]) => {
      arrived = callback?.(...event);
    };
    if (method !== 'start') await started;
    const outcome = await outcomeOf(() => methods[method]?.apply(api, callback ? [...parameters, told] : parameters));
    if (method === 'start') hasStarted();
    // a callback has a port of its own: the outcome must not overtake the last events
    await arrived;
    return outcome;
  };
  Comlink.expose({ call }, endpoint);
}

async function outcomeOf(work: () => unknown): Promise<Outcome> {
  try {
    return { ok: await work() };
  } catch (error) {
    return { error: toWire(error) };
  }
}

/** The other end of `serveWorker`. Functions among the parameters become callbacks over the boundary. */
export function connectWorker(endpoint: Comlink.Endpoint): WorkerClient {
  const remote = Comlink.wrap<{ call: Call }>(endpoint);
  const call = async (method: string, parameters: unknown[]): Promise<unknown> => {
    const callback = parameters.at(-1);
    // Comlink proxies a function only as a parameter of its own, so the callback is passed beside the others
    const outcome =
      typeof callback === 'function'
        ? await remote.call(
            method,
            parameters.slice(0, -1),
            Comlink.proxy(callback as (...event: unknown[]) => unknown),
          )
        : await remote.call(method, parameters);
    if ('error' in outcome) throw fromWire(outcome.error);
    return outcome.ok;
  };
  return new Proxy({} as WorkerClient, {
    get: (_, method) => {
      if (typeof method !== 'string' || method === 'then') return undefined; // a client is no promise
      return (...parameters: unknown[]) => call(method, parameters);
    },
  });
}
