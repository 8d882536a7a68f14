import type { Constants } from './constants.ts';
import type { Random } from './random.ts';
import { Undisturbed, VOCABULARY } from './stand-in.ts';

/** A conversation from the person's side: what was asked, when a token came, and what it should have been. */
export class Conversation {
  readonly device: number;
  readonly model: string;
  session: string;
  seed: number;
  /** All tokens up to the question that waits or was answered last. */
  prompt: number[] = [];
  maxTokens = 0;
  isAnswering = false;
  /** Virtual ms. */
  askedMs = 0;
  lastTokenMs = 0;
  /** Since the last token or, before it, the question: time that counts neither as stall nor against anybody. */
  driverOutMs = 0;
  noRoomMs = 0;
  isStuck = false;
  /** The person presses stop at so many tokens of the answer. */
  stopsAt = Number.POSITIVE_INFINITY;
  answered: number[] = [];
  /** Raised with each question: what was planned for an older one is void. */
  turn = 0;
  readonly #undisturbed: Undisturbed;
  readonly #constants: Constants;
  readonly #random: Random;

  constructor(device: number, model: string, constants: Constants, random: Random) {
    this.device = device;
    this.model = model;
    this.#constants = constants;
    this.#random = random;
    this.session = random.hex(16);
    this.seed = random.uint32();
    this.#undisturbed = new Undisturbed(constants.layers);
  }

  /** The next question: a turn more, an edited one, or a new conversation, whose old session is given back. */
  ask(): string | undefined {
    const { contextTokens, answerTokens, turnTokens, editChance, newSessionChance, stopChance } = this.#constants;
    const random = this.#random;
    this.turn++;
    this.maxTokens = random.integer(...answerTokens);
    let added = Math.floor(random.logBetween(...turnTokens));
    let tokens = this.answered;
    if (tokens.length > 1 && random.chance(editChance)) tokens = tokens.slice(0, random.integer(1, tokens.length - 1));
    let given: string | undefined;
    if (random.chance(newSessionChance) || tokens.length + added + this.maxTokens > contextTokens) {
      given = this.answered.length > 0 ? this.session : undefined;
      if (given !== undefined) this.session = random.hex(16);
      this.seed = random.uint32();
      tokens = [];
      added = Math.min(added, contextTokens - this.maxTokens);
    }
    this.prompt = [...tokens];
    for (let i = 0; i < added; i++) this.prompt.push(random.uint32() % VOCABULARY);
    this.stopsAt = random.chance(stopChance) ? random.integer(1, this.maxTokens) : Number.POSITIVE_INFINITY;
    this.isAnswering = true;
    this.isStuck = false;
    return given;
  }

  /** The first token of the answer that is wrong; -1: none. */
  firstWrong(tokens: readonly number[]): number {
    const same = this.prompt.every((token, i) => tokens[i] === token);
    if (!same) return 0;
    return this.#undisturbed.firstWrong(tokens, this.prompt.length, this.seed);
  }
}
