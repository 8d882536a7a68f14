/**
 * Errors say what the caller can do. One class a remedy; the message holds the actual and the allowed value and the
 * next step, in words a person can read. `toWire`/`fromWire` carry them through `postMessage`, which drops classes.
 */
export abstract class ShoalError extends Error {
  /** Written out, since a minifier renames classes. */
  abstract override readonly name: keyof typeof CLASSES;
  abstract readonly remedy: Remedy;
  /** Fields beside the message that survive the boundary between worker and window. */
  readonly details: Readonly<Record<string, string | number | boolean>>;
  constructor(message: string, details: Readonly<Record<string, string | number | boolean>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.details = details;
  }
}

export type Remedy =
  | 'retry'
  | 'free-memory'
  | 'free-storage'
  | 'choose-model'
  | 'reload-device'
  | 'ask-person'
  | 'cancelled'
  | 'give-up';

/** The same call may succeed later: network gone, hub busy (`details.retryAfterMs`). */
export class RetryError extends ShoalError {
  override readonly name = 'RetryError';
  readonly remedy = 'retry';
}
/** Needs more memory than the budget gives: `details.neededBytes`, `details.allowedBytes`. */
export class MemoryError extends ShoalError {
  override readonly name = 'MemoryError';
  readonly remedy = 'free-memory';
}
/** The disk or the browser's quota is full: `details.neededBytes`, `details.freeBytes`. */
export class StorageError extends ShoalError {
  override readonly name = 'StorageError';
  readonly remedy = 'free-storage';
}
/** This file cannot be used: truncated, lying, of an unknown architecture or tensor type, source changed. */
export class ModelError extends ShoalError {
  override readonly name = 'ModelError';
  readonly remedy = 'choose-model';
}
/** The GPU went away or refused: `details.reason` is 'lost' | 'out-of-memory' | 'validation' | 'absent'. */
export class DeviceError extends ShoalError {
  override readonly name = 'DeviceError';
  readonly remedy = 'reload-device';
}
/** Only the person can go on: licence to accept, token to paste, permission to give, context full. */
export class PersonError extends ShoalError {
  override readonly name = 'PersonError';
  readonly remedy = 'ask-person';
}
/** Stopped because the caller asked. */
export class CancelledError extends ShoalError {
  override readonly name = 'CancelledError';
  readonly remedy = 'cancelled';
}
/** A fault of ours. */
export class InternalError extends ShoalError {
  override readonly name = 'InternalError';
  readonly remedy = 'give-up';
}

const CLASSES = {
  RetryError,
  MemoryError,
  StorageError,
  ModelError,
  DeviceError,
  PersonError,
  CancelledError,
  InternalError,
} as const;

export interface WireError {
  readonly name: keyof typeof CLASSES;
  readonly message: string;
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** Anything thrown, as plain data. Aborts become `CancelledError`, unknown errors `InternalError`. */
export function toWire(error: unknown): WireError {
  if (error instanceof ShoalError) {
    return { name: error.name, message: error.message, details: error.details };
  }
  if (isAbort(error)) return { name: 'CancelledError', message: 'Stopped.', details: {} };
  const message = error instanceof Error ? error.message : String(error);
  return { name: 'InternalError', message, details: {} };
}

export function fromWire(wire: WireError): ShoalError {
  return new CLASSES[wire.name](wire.message, wire.details);
}

export function isAbort(error: unknown): boolean {
  return error instanceof CancelledError || (error instanceof Error && error.name === 'AbortError');
}
