import { fromWire, ShoalError, toWire } from '../../worker/errors.ts';

export { InternalError, ShoalError } from '../../worker/errors.ts';

/** Anything thrown as an error that says what to do. */
export function fromAny(error: unknown): ShoalError {
  return error instanceof ShoalError ? error : fromWire(toWire(error));
}
