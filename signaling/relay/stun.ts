const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const MAGIC_COOKIE = 0x2112a442;
const XOR_MAPPED_ADDRESS = 0x0020;
const HEADER_BYTES = 20;
const IPV4 = 1;

/**
 * The answer to a STUN binding request over UDP (RFC 8489, section 5 and 14.2): under which IPv4 address and port its
 * sender is seen. It follows from the packet alone. Undefined for any other packet.
 */
export function bindingAnswer(
  packet: Buffer,
  { address, port }: { readonly address: string; readonly port: number },
): Buffer | undefined {
  if (packet.length < HEADER_BYTES || packet.readUInt16BE(0) !== BINDING_REQUEST) return undefined;
  if (packet.readUInt32BE(4) !== MAGIC_COOKIE || packet.readUInt16BE(2) !== packet.length - HEADER_BYTES)
    return undefined;
  const answer = Buffer.alloc(HEADER_BYTES + 12);
  answer.writeUInt16BE(BINDING_SUCCESS, 0);
  answer.writeUInt16BE(12, 2);
  // cookie and transaction
  packet.copy(answer, 4, 4, HEADER_BYTES);
  answer.writeUInt16BE(XOR_MAPPED_ADDRESS, 20);
  answer.writeUInt16BE(8, 22);
  answer.writeUInt16BE(IPV4, 24);
  answer.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), 26);
  const bytes = address.split('.').map(Number);
  for (let i = 0; i < 4; i++) answer[28 + i] = (bytes[i] ?? 0) ^ (answer[4 + i] ?? 0);
  return answer;
}
