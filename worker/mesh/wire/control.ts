import * as v from 'valibot';

/** Of the control messages; a device accepts its own and the one before. */
export const CONTROL_VERSION = 1;
const OLDEST_CONTROL_VERSION = 1;
/** Of one message, as UTF-8. */
export const MAX_CONTROL_BYTES = 64 * 1024;

/** What a message of each kind looks like; the schemas name no `kind` of their own. */
export type ControlSchemas = Readonly<Record<string, v.GenericSchema<unknown, object>>>;

/** A message as code has it: its kind and the fields of that kind's schema. */
export type ControlMessage<S extends ControlSchemas> = {
  readonly [Kind in keyof S & string]: { readonly kind: Kind } & v.InferOutput<S[Kind]>;
}[keyof S & string];

export type ControlDrop = 'not-text' | 'too-large' | 'not-json' | 'version' | 'kind' | 'schema';

export interface ControlCodec<Message> {
  /** Throws for a message of more than 64 KiB: whoever makes it has to split it. */
  encode(message: Message): string;
  /** What arrived, validated, or why it is not read. Never throws. */
  decode(data: unknown): { readonly message: Message } | { readonly dropped: ControlDrop };
}

/** Messages of the link itself; rooms add theirs. */
export const linkSchemas = {
  /** The page goes, or is hidden where that suspends it; the link is lost at once. */
  goodbye: v.strictObject({ reason: v.picklist(['gone', 'hidden']) }),
} as const satisfies ControlSchemas;

const envelope = v.looseObject({ v: v.pipe(v.number(), v.integer()), kind: v.string() });

/**
 * Reads and writes the messages of `schemas`: `{"v":1,"kind":…, fields}`. Each part of the mesh brings the schemas of its
 * messages; here they become one union, and nothing passes that none of them describes.
 */
export function controlCodec<const S extends ControlSchemas>(schemas: S): ControlCodec<ControlMessage<S>> {
  const kinds = new Map(Object.entries(schemas));
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
      const { v: version, kind, ...fields } = outer.output;
      if (version < OLDEST_CONTROL_VERSION || version > CONTROL_VERSION) return { dropped: 'version' };
      const schema = kinds.get(kind);
      if (!schema) return { dropped: 'kind' };
      const inner = v.safeParse(schema, fields);
      if (!inner.success) return { dropped: 'schema' };
      return { message: { kind, ...inner.output } as ControlMessage<S> };
    },
  };
}

/** Without encoding, so that a text of gigabytes costs nothing more. */
function utf8Bytes(text: string): number {
  // each UTF-16 unit takes one to three bytes
  if (text.length > MAX_CONTROL_BYTES) return text.length;
  return text.length * 3 <= MAX_CONTROL_BYTES ? text.length : new TextEncoder().encode(text).byteLength;
}
