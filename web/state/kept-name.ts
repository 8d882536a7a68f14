import type { StoredFile } from '../../worker/api.ts';
import type { App } from '../app.ts';
import type { KnownModel } from './preferences.ts';

/** What is known of a kept file: from its header, else from the catalogue, else its file name alone. */
export function describeKept(app: App, file: StoredFile): Partial<KnownModel> & { readonly name: string } {
  const known = app.preferences.all.value.known[file.key];
  if (known) return known;
  const { identity } = file;
  const entry = app.models.catalogue.value.find(
    ({ repository, quantization }) =>
      identity.kind === 'hub' &&
      repository === identity.repository &&
      identity.file.toLowerCase().includes(quantization.toLowerCase()),
  );
  return entry ?? { name: file.name.replace(/\.gguf$/i, '') };
}
