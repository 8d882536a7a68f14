export { type AnswerStreamOptions, createAnswerStream } from './answer-stream.ts';
export {
  chatTemplate,
  encodePrompt,
  type FallbackStyle,
  fallbackStopStrings,
  fallbackStyle,
  renderFallback,
  specialText,
} from './chat.ts';
export { promptOpensReasoning } from './reasoning.ts';
export { spawnTemplateWorker } from './spawn-template-worker.ts';
export {
  type ChatOptions,
  createTemplateRenderer,
  TEMPLATE_LIMIT_MS,
  type TemplateRenderer,
  type TemplateWorker,
} from './template.ts';
export { createTokenizer } from './tokenizer.ts';
export type { AnswerStream, ChatTurn, CreateTokenizer, TextPiece, Tokenizer } from './types.ts';
