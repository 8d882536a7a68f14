import type { ProofFailure } from '../../worker/mesh/link/window-messages.ts';

/** Where a join stopped: reaching the server, finding a way between the devices, proving who one is, agreeing on a version. */
export type JoinStage = 'signaling' | 'candidates' | 'proof' | 'version';

export interface JoinFailure {
  readonly stage: JoinStage;
  /** Of the other device, where one was tried. */
  readonly address?: string;
  /** With `version`: which side needs the newer app. */
  readonly behind?: 'us' | 'peer';
  /** What happened and what to do, for a person. */
  readonly message: string;
}

const PROOF_MESSAGES: Readonly<Record<ProofFailure['reason'], string>> = {
  removed: 'This device was removed from the room. Ask somebody inside for a new invite.',
  'old-invite': 'This invite was replaced when a device was removed or left. Ask for a new one.',
  version: 'The two devices have different versions of Shoal. Reload both.',
  unknown: 'The other device does not know this one and its invite. Ask somebody inside for a new invite.',
  timeout: 'The other device did not prove itself in time. Both pages have to be open; try again.',
  fingerprint: 'The connection could not be checked: its certificate is not as it should be. Try another browser.',
  self: 'This device reached itself. Close the other window of Shoal, or open it in another profile.',
  'two-newcomers': 'The other device is not in the room yet either. Let one that is in the room stay open.',
  busy: 'Too many devices join at this moment. It is tried again in a few seconds.',
  closed: 'The other device went away while it was being asked. It is tried again when it is back.',
  malformed: 'What the other device said could not be read. Reload both pages.',
};

/** @param reason as the server or the browser gave it */
export function signalingFailure(server: string, reason: string, address?: string): JoinFailure {
  const message =
    address === undefined
      ? `${server} could not be reached (${reason}). Check that this device is on the network and that the server runs.`
      : `The other device did not answer (${reason}). Its page has to be open and awake.`;
  return { stage: 'signaling', message, ...(address !== undefined && { address }) };
}

/** The server runs, and does not introduce this device. @param reason in its words */
export function refusalFailure(server: string, reason: string): JoinFailure {
  const message = `${server} does not introduce this device now: ${reason.trim()}. It is asked again in a few seconds.`;
  return { stage: 'signaling', message };
}

export function candidatesFailure(address: string, relayed: boolean): JoinFailure {
  const remedy = relayed
    ? 'Both reached the server, but a firewall or VPN stops what goes between them: allow UDP, or turn the VPN off.'
    : 'Connect both to the same network, without a VPN and not as a guest; or use a server that relays (npm start -- --lan).';
  return { stage: 'candidates', address, message: `No way between the two devices was found. ${remedy}` };
}

export function proofFailure(address: string, { reason, by, behind }: ProofFailure): JoinFailure {
  const stage = reason === 'version' ? 'version' : 'proof';
  if (behind === 'us')
    return {
      stage,
      address,
      behind,
      message: 'This device has an older version of Shoal. It updates itself; reload the page if it does not.',
    };
  if (behind === 'peer')
    return {
      stage,
      address,
      behind,
      message: 'The other device has an older version of Shoal. Reload its page to update it.',
    };
  if (reason === 'removed' && by === 'us')
    return {
      stage,
      address,
      message: 'A device that was removed called again, as its page may do by itself. It was refused.',
    };
  if (reason === 'old-invite' && by === 'us')
    return { stage, address, message: 'A device tried to join with an old invite; it was refused. Send it a new one.' };
  return { stage, address, message: PROOF_MESSAGES[reason] };
}
