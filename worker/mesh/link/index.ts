/** Links to other devices, in the worker: the window brings connections, `Links` proves them and hands out open links. */
export { attachLinks, type WindowPort } from './attach.ts';
export { CallOrder } from './call-order.ts';
export { type CloseReason, Link, type LinkHandlers, type LinkStatistics } from './link.ts';
export { Links, type LinksOptions, TICK_MS } from './links.ts';
export { bytesOf, isOther } from './outbox.ts';
export type { LinkProver, ProofContext, Proved } from './prover.ts';
export type { ProofFailure, ToWindow, ToWorker } from './window-messages.ts';
