import * as v from 'valibot';

/** Of the control messages; a device accepts its own and the one before. */
export const CONTROL_VERSION = 1;
const OLDEST_CONTROL_VERSION = 1;
/** Of one message, as UTF-8. */
export const MAX_CONTROL_BYTES = 64 * 1024;

/** A schema of one kind of message: a strict object whose `kind` is a literal. */
export type ControlSchema = v.GenericSchema<unknown, { readonly kind: string }> & {
  readonly entries: { readonly kind: { readonly literal: string } };
};

export type ControlDrop = 'not-text' | 'too-large' | 'not-json' | 'version' | 'kind' | 'schema';

export interface ControlCodec<Message> {
  /**
   * Throws for a message of more than 64 KiB: whoever makes it has to split it.
   * @param version of the wire that both ends of the link speak
   */
  encode(message: Message, version?: number): string;
  /** What arrived, validated, or why it is not read. Never throws. */
  decode(data: unknown): { readonly message: Message } | NotRead;
}

export interface NotRead {
  readonly dropped: ControlDrop;
  /** Of a message whose kind is known and whose fields are not as they should be. */
  readonly kind?: string;
}

const envelope = v.looseObject({ v: v.pipe(v.number(), v.integer()), kind: v.string() });

/**
 * Reads and writes the messages of `schemas`: `{"v":1,"kind":…, fields}`. Each part of the mesh brings the schemas of its
 * messages; here they become one union, and nothing passes that none of them describes.
 */
export function controlCodec<const S extends readonly ControlSchema[]>(
  schemas: S,
): ControlCodec<v.InferOutput<S[number]>> {
  const kinds = new Map(schemas.map((schema) => [schema.entries.kind.literal, schema]));
  if (kinds.size < schemas.length) throw new TypeError('Two schemas name the same kind of control message.');
  return {
    encode(message) {
      const text = JSON.stringify({ v: CONTROL_VERSION, ...message });
      const bytes = utf8Bytes(text);
      if (bytes > MAX_CONTROL_BYTES)
        throw new RangeError(`A ${message.kind} message of ${bytes} bytes; ${MAX_CONTROL_BYTES} are the most`);
      return text;
    },
    decode(data) {
      if (typeof data !== 'string') return { dropped: 'not-text' };
      if (utf8Bytes(data) > MAX_CONTROL_BYTES) return { dropped: 'too-large' };
      let json: unknown;
      try {
        json = JSON.parse(data);
      } catch {
        return { dropped: 'not-json' };
      }
      const outer = v.safeParse(envelope, json);
      if (!outer.success) return { dropped: 'schema' };
      const { v: version, ...fields } = outer.output;
      if (version < OLDEST_CONTROL_VERSION || version > CONTROL_VERSION) return { dropped: 'version' };
      const schema = kinds.get(fields.kind);
      if (!schema) return { dropped: 'kind' };
      const inner = v.safeParse(schema, fields);
      if (!inner.success) return { dropped: 'schema', kind: fields.kind };
      return { message: inner.output as v.InferOutput<S[number]> };
    },
  };
}

/** Without encoding, so that a text of gigabytes costs nothing more. */
function utf8Bytes(text: string): number {
  // each UTF-16 unit takes one to three bytes
  if (text.length > MAX_CONTROL_BYTES) return text.length;
  return text.length * 3 <= MAX_CONTROL_BYTES ? text.length : new TextEncoder().encode(text).byteLength;
}
