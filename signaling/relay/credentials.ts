import { createHmac, randomBytes } from 'node:crypto';

/** A name and a password by which a relay is asked for. */
export interface RelayCredentials {
  readonly username: string;
  readonly credential: string;
}

const USERNAME = /^(\d{1,12}):([\w-]{22})$/;

/**
 * Credentials that end by themselves and that nobody keeps: the name says until when and for which room, the password is
 * an HMAC of it under a key that lives as long as this process.
 */
export class CredentialMaker {
  readonly #key = randomBytes(32);
  readonly #wallClock: () => number;

  constructor(wallClock: () => number = Date.now) {
    this.#wallClock = wallClock;
  }

  make(room: string, lifetimeMs: number): RelayCredentials {
    const username = `${Math.floor((this.#wallClock() + lifetimeMs) / 1000)}:${room}`;
    return { username, credential: this.#password(username) };
  }

  /** The password of a name that this maker could have given out, ended or not; undefined for any other. */
  passwordOf(username: string): string | undefined {
    return USERNAME.test(username) ? this.#password(username) : undefined;
  }

  /** The room of a name that has not ended. */
  roomOf(username: string): string | undefined {
    return this.leftMs(username) > 0 ? USERNAME.exec(username)?.[2] : undefined;
  }

  /** How long a name is still good for; 0 where it has ended, or is none. */
  leftMs(username: string): number {
    const [, until = '0'] = USERNAME.exec(username) ?? [];
    return Math.max(0, Number(until) * 1000 - this.#wallClock());
  }

  #password(username: string): string {
    return createHmac('sha256', this.#key).update(username).digest('base64url');
  }
}
