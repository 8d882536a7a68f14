import type { Bytes } from '../identity/bytes.ts';
import type { Side } from '../identity/proof-messages.ts';
import type { ProofOutcome, Prover } from '../identity/prover.ts';

/** What a connection brings to its proof. */
export interface ProofContext {
  readonly side: Side;
  readonly localFingerprint: Bytes | undefined;
  readonly remoteFingerprint: Bytes | undefined;
}

export type LinkProver = Pick<Prover, 'start' | 'receive' | 'tick'>;

/** What the proof showed of the peer. */
export type Proved = Extract<ProofOutcome, { readonly kind: 'accepted' }>;
