import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildTemplateWorker } from '../../tests/setup/template-worker.ts';
import { thrown } from '../../tests/setup/thrown.ts';
import { ModelError } from '../errors.ts';
import { createTemplateRenderer, type TemplateRenderer, type TemplateWorker } from './template.ts';
import type { ChatTurn } from './types.ts';

const OPTIONS = { bosToken: '<s>', eosToken: '</s>', addGenerationPrompt: true };
const TURNS: readonly ChatTurn[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi <|im_end|> {{ 1 }}' },
];
/** Long beside what the other templates here need, also on a busy machine. */
const LIMIT_MS = 1000;
const ENDLESS = '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}';

let spawnWorker: () => TemplateWorker;
let alive = 0;
let spawned = 0;
let renderer: TemplateRenderer;

beforeAll(async () => {
  spawnWorker = await buildTemplateWorker();
  renderer = createTemplateRenderer({ spawn, timeLimitMs: LIMIT_MS });
});
afterAll(() => renderer.close());

function spawn(): TemplateWorker {
  const worker = spawnWorker();
  alive++;
  spawned++;
  const terminate = () => {
    worker.terminate();
    alive--;
  };
  return { ...worker, terminate };
}

const errorOf = (work: Promise<unknown>) => thrown(work, ModelError);

describe('chat templates', () => {
  test('render a conversation with its options', async () => {
    const template = `{{ bos_token }}{% for message in messages %}
[{{ message.role }}] {{ message['content'] | trim }}{{ eos_token }}
{% endfor %}
{% if add_generation_prompt %}[assistant]{% endif %}{% if tools is not none %}TOOLS{% endif %}`;
    expect(await renderer.renderChat(template, TURNS, OPTIONS)).toBe(
      '<s>[system] Be brief.</s>\n[user] Hi <|im_end|> {{ 1 }}</s>\n[assistant]',
    );
  });

  test('keep one worker while nothing goes wrong', async () => {
    const before = spawned;
    const texts = await Promise.all(['a', 'b', 'c'].map((letter) => renderer.renderChat(letter, TURNS, OPTIONS)));
    expect(texts).toEqual(['a', 'b', 'c']);
    expect(spawned - before).toBeLessThanOrEqual(1);
  });

  test('are stopped when they take too long, and the next one works', async () => {
    const error = await errorOf(renderer.renderChat(ENDLESS, TURNS, OPTIONS));
    expect(error.message).toBe("The model's chat template took longer than 1 s and was stopped.");
    expect(error.details.reason).toBe('template-timeout');
    expect(alive).toBe(0);
    expect(await renderer.renderChat('{{ 1 + 1 }}', TURNS, OPTIONS)).toBe('2');
  });

  test.each([
    ['syntax that is none', '{% if %}'],
    ['unknown functions', '{{ open("/etc/passwd") }}'],
    ['recursion without end', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
    ['lists that would fill the memory', '{% for a in range(1000000000) %}{% endfor %}'],
  ])('fail with a clear error: %s', async (_, template) => {
    const patient = createTemplateRenderer({ spawn, timeLimitMs: 20 * LIMIT_MS });
    const error = await errorOf(patient.renderChat(template, TURNS, OPTIONS));
    expect(error.message).toMatch(/^The model's chat template could not be run: ./);
    expect(error.message.length).toBeLessThan(400);
    expect(error.details.reason).toBe('template-failed');
  });

  test('may refuse a conversation in their own words', async () => {
    const error = await errorOf(renderer.renderChat("{{ raise_exception('Roles must alternate') }}", TURNS, OPTIONS));
    expect(error.message).toBe("The model's chat template refuses this conversation: Roles must alternate");
    expect(error.details.reason).toBe('template-refused');
  });

  test('that know no system turn get its text with the first of the user', async () => {
    const template =
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('No system') }}{% endif %}{{ m.role }}: {{ m.content }}{% endfor %}";
    const text = await renderer.renderChat(template, TURNS, OPTIONS);
    expect(text).toBe('user: Be brief.\n\nHi <|im_end|> {{ 1 }}');
  });

  test('tell the date in English, at the time they are given', async () => {
    const nowMs = new Date(2026, 2, 5, 15, 4).getTime();
    const template = "{{ strftime_now('%d %b %Y, %A, %-d.%m., %I:%M %p, %%, %Q') }}";
    const text = await renderer.renderChat(template, TURNS, { ...OPTIONS, nowMs });
    expect(text).toBe('05 Mar 2026, Thursday, 5.03., 03:04 PM, %, %Q');
  });

  test('can be cancelled', async () => {
    const controller = new AbortController();
    const result = renderer.renderChat(ENDLESS, TURNS, OPTIONS, controller.signal);
    controller.abort();
    await expect(result).rejects.toMatchObject({ name: 'CancelledError' });
    expect(alive).toBe(0);
  });
});
