import type { Peer } from 'peerjs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PeerConnection } from './peer-connection.ts';

/** A browser's connection, as far as it is used here. */
class TestConnection {
  connectionState: RTCPeerConnectionState = 'new';
  signalingState = 'stable';
  localDescription = { type: 'offer', sdp: 'a=fingerprint:sha-256 AA\r\n' };
  remoteDescription: RTCSessionDescriptionInit | undefined;
  sctp = { maxMessageSize: 262_144 };
  onconnectionstatechange: (() => void) | null = null;
  configurations: RTCConfiguration[] = [];
  createDataChannel = () => ({});
  setConfiguration = (configuration: RTCConfiguration) => this.configurations.push(configuration);
  setLocalDescription = async (description?: { readonly type: string }) => {
    this.signalingState = description?.type === 'rollback' ? 'stable' : 'have-local-offer';
  };
  setRemoteDescription = async (description: RTCSessionDescriptionInit) => {
    this.remoteDescription = description;
    this.signalingState = 'stable';
  };
  restartIce = vi.fn();
  close(): void {
    this.connectionState = 'closed';
  }
  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

const ANSWER = 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=fingerprint:sha-256 BB\r\n';

async function call({ answered = true } = {}) {
  const ended: (string | undefined)[] = [];
  let asked = 0;
  const sent: { readonly type: string; readonly payload: { readonly offer?: number } }[] = [];
  const send = (message: (typeof sent)[number]) => sent.push(message);
  const provider = { socket: { send }, _removeConnection: () => {} } as unknown as Peer;
  const connection = new PeerConnection(
    'other',
    provider,
    {
      ownAddress: 'own',
      configured: async () => {},
      configuration: () => ({ iceServers: [{ urls: `turn:${++asked}` }] }),
      handOver: async () => {},
      tell: () => {},
      ended: (_, stage) => ended.push(stage),
    },
    1,
    { connectionId: 'c' },
  );
  const native = connection.peerConnection as unknown as TestConnection;
  await vi.advanceTimersByTimeAsync(0);
  const answer = async (sdp = ANSWER, offer?: number) => {
    await connection.handleMessage({
      payload: { sdp: { type: 'answer', sdp }, ...(offer !== undefined && { offer }) },
    });
    await vi.advanceTimersByTimeAsync(0);
  };
  if (answered) await answer();
  return { connection, native, ended, answer, sent };
}

describe('a connection', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('RTCPeerConnection', TestConnection);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  test('that comes up and is never proved ends', async () => {
    const { native, ended } = await call();
    native.become('connected');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ended).toEqual(['candidates']);
    expect(native.connectionState).toBe('closed');
  });

  test('that breaks off and comes up again gets no more time for that', async () => {
    const { native, ended } = await call();
    for (let second = 0; second < 60; second += 4) {
      native.become('connected');
      await vi.advanceTimersByTimeAsync(2000);
      native.become('disconnected');
      await vi.advanceTimersByTimeAsync(2000);
    }
    expect(ended).toEqual(['candidates']);
  });

  test('that was proved stays, and looks for another way when it breaks off', async () => {
    const { connection, native, ended } = await call();
    native.become('connected');
    connection.proved();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(ended).toEqual([]);
    native.become('disconnected');
    await vi.advanceTimersByTimeAsync(3000);
    expect(native.restartIce).toHaveBeenCalledOnce();
    native.become('connected');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(ended).toEqual([]);
    native.become('failed');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ended).toEqual([undefined]);
  });

  test('makes another offer where one is lost, and takes no answer to the lost one', async () => {
    const { connection, native, answer, sent } = await call();
    native.become('connected');
    connection.proved();
    const offers = () => sent.flatMap(({ payload }) => payload.offer ?? []);
    connection.restart();
    connection.restart();
    await vi.advanceTimersByTimeAsync(1000);
    // one is on its way
    expect(offers()).toEqual([1]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(offers()).toEqual([1, 2]);
    await answer(`${ANSWER}a=ice-ufrag:late\r\n`, 1);
    expect(native.signalingState).toBe('have-local-offer');
    await answer(`${ANSWER}a=ice-ufrag:new\r\n`, 2);
    expect(native.remoteDescription?.sdp).toContain('new');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(offers()).toEqual([1, 2]);
    connection.restart();
    await vi.advanceTimersByTimeAsync(0);
    expect(offers()).toEqual([1, 2, 3]);
  });

  test('takes new credentials to the offer that follows a lost one', async () => {
    const { connection, native, answer } = await call();
    native.become('connected');
    connection.proved();
    connection.restart();
    await vi.advanceTimersByTimeAsync(1000);
    connection.renew();
    await vi.advanceTimersByTimeAsync(5000);
    expect(native.restartIce).toHaveBeenCalledTimes(2);
    await answer(ANSWER, 2);
    expect(native.restartIce).toHaveBeenCalledTimes(2);
    connection.end();
  });

  test('takes no later description that is not of another way', async () => {
    const { connection, native, answer } = await call();
    native.become('connected');
    connection.proved();
    connection.restart();
    await vi.advanceTimersByTimeAsync(0);
    for (const forged of [ANSWER.replace(' 9 ', ' 0 '), ANSWER.replace('BB', 'CC')]) {
      await answer(forged);
      expect(native.remoteDescription?.sdp).toBe(ANSWER);
      expect(native.signalingState).toBe('have-local-offer');
    }
    const restart = `${ANSWER}a=ice-ufrag:new\r\n`;
    await answer(restart);
    expect(native.remoteDescription?.sdp).toBe(restart);
  });

  test('looks for another way once there are new credentials, also where it was looking already', async () => {
    const { connection, native, answer } = await call();
    native.become('connected');
    connection.proved();
    const last = () => native.configurations.at(-1)?.iceServers?.[0]?.urls;
    connection.renew();
    await vi.advanceTimersByTimeAsync(0);
    expect([last(), native.restartIce.mock.calls.length]).toEqual(['turn:3', 1]);
    // while that offer is on its way
    connection.renew();
    await vi.advanceTimersByTimeAsync(0);
    expect([last(), native.restartIce.mock.calls.length]).toEqual(['turn:4', 1]);
    await answer();
    expect(native.restartIce).toHaveBeenCalledTimes(2);
    await answer();
    expect(native.restartIce).toHaveBeenCalledTimes(2);
  });

  test('looks for another way once it is answered where there were new credentials since its offer', async () => {
    const { connection, native, answer } = await call({ answered: false });
    connection.renew();
    await vi.advanceTimersByTimeAsync(0);
    expect(native.configurations.at(-1)?.iceServers?.[0]?.urls).toBe('turn:3');
    expect(native.restartIce).not.toHaveBeenCalled();
    await answer();
    expect(native.restartIce).toHaveBeenCalledOnce();
  });
});
