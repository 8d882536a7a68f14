import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { App } from '../app.ts';
import { answering } from '../state/answering.ts';
import type { Conversation, Message } from '../state/conversation.ts';
import type { Live } from '../state/live-answer.ts';
import { count, percent, seconds, speed, unbroken } from '../ui/format.ts';
import { icon } from '../ui/icons.ts';
import { button, calmLine, iconButton } from '../ui/parts.ts';
import { scales } from '../ui/scales.ts';
import { View } from '../ui/view.ts';
import { chatWords as words } from '../words/chat.ts';
import '../markdown/markdown-text.ts';
import { answerTrouble } from './answer-trouble.ts';
import { branchSwitch } from './branch-switch.ts';
import { copyButton } from './copy-button.ts';
import { roomLine, roomPast } from './room-lines.ts';

/** Prefill is said once it takes longer than this. */
const PREFILL_SAID_AFTER_MS = 1000;
const FRAME_MS = 16;

/** An answer, written or being written. */
@customElement('answer-message')
export class AnswerMessage extends View {
  @property({ attribute: false }) app!: App;
  @property({ attribute: false }) conversation!: Conversation;
  @property({ attribute: false }) message!: Message;
  #wasLive = false;
  #waitingSince = 0;

  protected watched() {
    return [this.app.models.loaded, this.app.room.view];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopLive = this.app.answers.live.subscribe(() => {
      const isLive = this.#live() !== undefined;
      if (isLive || this.#wasLive) this.requestUpdate();
      this.#wasLive = isLive;
    });
    this.#stopLoading = this.app.models.loading.subscribe(() => {
      if (this.#live()?.phase === 'reloading') this.requestUpdate();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopLive();
    this.#stopLoading();
  }

  /** The first token may be long in coming, and no event tells of it: says after a while what is going on. */
  protected override updated(): void {
    const live = this.#live();
    const waits = live?.phase === 'queued' || live?.phase === 'prefill';
    if (waits && this.#waitingSince !== live.askedAt) {
      this.#waitingSince = live.askedAt;
      setTimeout(() => this.requestUpdate(), PREFILL_SAID_AFTER_MS + FRAME_MS);
    }
  }

  protected override render() {
    const live = this.#live();
    const text = live?.text ?? this.message.text;
    return html`<article class="ans" aria-label=${words.answer} aria-busy=${live ? 'true' : nothing}>
      <h2 class="vh">${words.answer}</h2>
      ${this.#thought(live)}
      <markdown-text .text=${text} .writing=${live !== undefined && live.phase !== 'reloading'}></markdown-text>
      ${live ? this.#writing(live) : this.#done()}
    </article>`;
  }

  #stopLive: () => void = () => {};
  #stopLoading: () => void = () => {};

  #live(): Live | undefined {
    const live = this.app.answers.live.value;
    return live?.message === this.message.id ? live : undefined;
  }

  #thought(live: Live | undefined) {
    const reasoning = live?.reasoning || this.message.reasoning;
    if (!reasoning) return nothing;
    const thinks = live?.phase === 'thinking';
    const ms = live?.reasoning ? live.reasoningMs : (this.message.reasoningMs ?? 0);
    const tokens = live?.reasoning ? live.reasoningTokens : (this.message.reasoningTokens ?? 0);
    const summary = thinks ? words.thinking(seconds(ms)) : words.thought(seconds(ms), count(tokens));
    return html`<details class="think">
      <summary>${icon('right', true)}<span class=${thinks ? 'state now' : ''}>${summary}</span></summary>
      <p>${reasoning.trim()}</p>
    </details>`;
  }

  #writing(live: Live): TemplateResult {
    if (live.phase === 'reloading') return this.#reloading(live);
    const parts: TemplateResult[] = [];
    if (live.phase === 'stopping') parts.push(this.#stopping(live));
    else if (live.phase === 'queued' || live.phase === 'prefill') parts.push(this.#prefill(live));
    // nothing is written while the room looks for a way on
    const runs = live.phase !== 'queued' && live.phase !== 'stopping';
    if (live.tokensPerSecond !== undefined && runs && live.room.length === 0) {
      parts.push(html`<span class="state now">${words.speed(speed(live.tokensPerSecond))}</span>`);
    }
    if (live.firstTokenMs !== undefined && live.tokens > 0) {
      parts.push(
        html`<span class="meta">${words.first(unbroken(seconds(live.firstTokenMs)))}, ${words.soFar(count(live.tokens))}</span>`,
      );
    }
    return html`${roomPast(live.roomPast)} ${roomLine(this.app, live)}
      <div class="acts progress">${parts}</div>
      ${live.notice ? calmLine('plain', live.notice) : nothing}`;
  }

  /** While the conversation is read, a step takes long. */
  #stopping({ tokens }: Live): TemplateResult {
    return html`<span class="state now">${words.stopping}</span> ${tokens === 0 ? html`<span class="meta">${words.stoppingNote}</span>` : nothing}`;
  }

  #prefill(live: Live): TemplateResult {
    const { prefill } = live;
    const slow = performance.now() - live.askedAt > PREFILL_SAID_AFTER_MS;
    if (!prefill || !slow) return html`<span class="meta starting">${words.waiting}</span>`;
    return html`<span class="meta">${words.reading(count(prefill.doneTokens), count(prefill.totalTokens))}</span>`;
  }

  #reloading(live: Live): TemplateResult {
    const loading = this.app.models.loading.value;
    const layers = loading?.summary?.layers;
    const progress = loading?.progress;
    const name = loading?.name ?? this.message.model ?? '';
    return calmLine(
      'now',
      html`${words.reloading(live.lost ?? '', name)}
      ${layers && progress ? scales({ layers, full: progress.layersDone, now: Math.min(layers - 1, progress.layersDone) }) : nothing}
      ${progress ? html`<span class="note">${words.reloadingAt(percent(progress.doneBytes, progress.totalBytes))}</span>` : nothing}`,
    );
  }

  #done(): TemplateResult {
    const { message, conversation, app } = this;
    const { figures, finish, text } = message;
    const canAsk = answering(app) !== undefined && app.answers.live.value === undefined;
    const broken = finish === undefined;
    const canGoOn = canAsk && (broken || finish === 'stopped');
    return html`${text === '' && finish === 'end' ? html`<p class="note">${words.emptyAnswer}</p>` : nothing}
      ${message.roomPast ? roomPast(message.roomPast) : nothing} ${answerTrouble(app, conversation, message)}
      ${message.notice ? calmLine('plain', message.notice) : nothing}
      <div class="acts">
        ${text ? copyButton(text) : nothing}
        ${canAsk ? iconButton('again', words.again, () => app.answers.regenerate(conversation, message)) : nothing}
        ${branchSwitch(app, conversation, message)}
        <span class="meta">
          ${broken ? html`${words.broken} ` : finish === 'stopped' ? html`${words.stopped} ` : nothing}
          ${finish === 'max-tokens' ? html`${words.maxTokens} ` : nothing}
          ${figures?.droppedTurns ? html`${words.dropped(figures.droppedTurns)} ` : nothing}
          ${figures ? this.#figures(figures.tokensPerSecond, figures.firstTokenMs) : nothing}
        </span>
        ${canGoOn ? button(words.goOn, () => app.answers.goOn(conversation, message), { kind: 'bare' }) : nothing}
      </div>`;
  }

  #figures(tokensPerSecond: number, firstTokenMs: number): string {
    if (firstTokenMs <= 0) return '';
    const first = unbroken(seconds(firstTokenMs));
    return tokensPerSecond <= 0 ? words.onlyFirst(first) : words.figures(speed(tokensPerSecond), first);
  }
}
