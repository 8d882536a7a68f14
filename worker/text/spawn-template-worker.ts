/** Starts the worker for chat templates, where the page is bundled by Vite. */
export function spawnTemplateWorker(): Worker {
  return new Worker(new URL('./template-worker.ts', import.meta.url), { type: 'module', name: 'chat-template' });
}
