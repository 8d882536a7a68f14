import { html, nothing } from 'lit';
import type { App } from '../app.ts';
import { answering } from '../state/answering.ts';
import type { Conversation, Message } from '../state/conversation.ts';
import { count } from '../ui/format.ts';
import { button, calmLine } from '../ui/parts.ts';
import { chatWords as words } from '../words/chat.ts';
import { modelWords } from '../words/models.ts';

/** What kept an answer from its end, with the next step; a full context gives the choice. */
export function answerTrouble(app: App, conversation: Conversation, message: Message) {
  const { failure, finish, figures } = message;
  if (failure?.contextFull || finish === 'context-full') {
    const said =
      failure?.message ?? (figures ? words.full(count(figures.usedTokens), count(figures.contextTokens)) : '');
    return calmLine('warn', said, fullChoices(app, conversation, message));
  }
  if (!failure) return nothing;
  const canAsk = answering(app) !== undefined;
  return calmLine(
    'bad',
    html`${message.text ? nothing : html`<b>${words.failedTitle}</b> `}${failure.message}`,
    html`${
      canAsk
        ? button(words.again2, () => app.answers.goOn(conversation, message))
        : html`<a class="btn" href="#/models">${words.chooseModel}</a>`
    }${
      failure.remedy === 'free-memory'
        ? html`<a class="btn bare" href="#/settings/memory">${modelWords.memorySetting}</a>`
        : nothing
    }`,
  );
}

function fullChoices(app: App, conversation: Conversation, message: Message) {
  const loaded = app.models.loaded.value;
  if (answering(app) === undefined) {
    return html`<a class="btn" href="#/models">${words.chooseModel}</a>`;
  }
  const { dropOldest, dropReasoning } = message.waysOn ?? {};
  return html`${dropOldest ? button(words.dropOldest, () => app.answers.dropOldest(conversation, message)) : nothing}
  ${dropReasoning ? button(words.dropReasoning, () => app.answers.dropReasoning(conversation, message)) : nothing}
  ${
    loaded && loaded.contextTokens < loaded.summary.trainedContextTokens
      ? html`<a class="btn" href="#/models">${words.longerContext}</a>`
      : nothing
  }
  ${button(words.newChat, () => app.router.go({ view: 'chat' }))}`;
}
