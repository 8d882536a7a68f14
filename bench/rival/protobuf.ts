/** One field of a message: varints, floats, bytes, strings, or a message of its own. */
export type Field = readonly [
  number: number,
  value: number | { readonly float: number } | string | Uint8Array | Message,
];
export type Message = readonly Field[];

const VARINT = 0;
const LENGTH = 2;
const FIXED_32 = 5;

/** https://protobuf.dev/programming-guides/encoding */
export function encode(message: Message): Uint8Array<ArrayBuffer> {
  const parts = message.flatMap(([number, value]): Uint8Array[] => {
    if (typeof value === 'number') return [varint(number * 8 + VARINT), varint(value)];
    if (typeof value === 'object' && 'float' in value) {
      return [varint(number * 8 + FIXED_32), new Uint8Array(new Float32Array([value.float]).buffer)];
    }
    const bytes =
      typeof value === 'string' ? new TextEncoder().encode(value) : value instanceof Uint8Array ? value : encode(value);
    return [varint(number * 8 + LENGTH), varint(bytes.length), bytes];
  });
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(left & 127n) | (left > 127n ? 128 : 0));
    left >>= 7n;
  } while (left > 0n);
  return Uint8Array.from(bytes);
}
