/**
 * The 32 bytes in front of every part, little-endian:
 *
 * | offset | size | field |
 * | 0 | 4 | magic "TPIP" |
 * | 4 | 1 | version, 1 |
 * | 5 | 1 | kind: position in MESSAGE_KINDS, from 1 |
 * | 6 | 2 | flags, 0 |
 * | 8 | 2 | part index, from 0 |
 * | 10 | 2 | part count |
 * | 12 | 4 | body length in bytes |
 * | 16 | 4 | offset of this part in the body |
 * | 20 | 8 | message id, unique per sender |
 * | 28 | 4 | CRC-32 of this part's payload |
 */

import { crc32 } from './crc32.ts';
import { DEFAULT_MAX_BODY_BYTES, ENVELOPE_BYTES, WIRE_VERSION } from './limits.ts';
import { MESSAGE_KINDS, type MessageKind } from './message.ts';
import { WireError } from './wire-error.ts';

/** "TPIP" read as a little-endian word. */
const MAGIC = 0x50495054;

/** The smallest body: the header's length and an object of one key. */
const SMALLEST_BODY = 16;

export interface Envelope {
  readonly kind: MessageKind;
  readonly part: number;
  readonly parts: number;
  readonly bodyBytes: number;
  readonly offset: number;
  readonly id: bigint;
  readonly checksum: number;
}

/** Writes an envelope over the first 32 bytes of `target`. */
export function writeEnvelope(target: Buffer, envelope: Envelope): void {
  target.writeUInt32LE(MAGIC, 0);
  target.writeUInt8(WIRE_VERSION, 4);
  target.writeUInt8(MESSAGE_KINDS.indexOf(envelope.kind) + 1, 5);
  target.writeUInt16LE(0, 6);
  target.writeUInt16LE(envelope.part, 8);
  target.writeUInt16LE(envelope.parts, 10);
  target.writeUInt32LE(envelope.bodyBytes, 12);
  target.writeUInt32LE(envelope.offset, 16);
  target.writeBigUInt64LE(envelope.id, 20);
  target.writeUInt32LE(envelope.checksum, 28);
}

/**
 * Reads and checks the envelope of one received MQTT payload, in order: length, magic, version, kind, flags,
 * part numbers, body size, part arithmetic, checksum. Nothing is allocated for the body.
 * Throws WireError; the checks up to the arithmetic cost nothing, so the checksum comes last.
 */
export function readEnvelope(payload: Buffer, maxBodyBytes = DEFAULT_MAX_BODY_BYTES): Envelope {
  if (payload.length < ENVELOPE_BYTES) throw new WireError('too-short', `${payload.length} bytes`);
  if (payload.readUInt32LE(0) !== MAGIC) throw new WireError('magic');
  const version = payload.readUInt8(4);
  if (version !== WIRE_VERSION) throw new WireError('version', `${version}`);
  const kind = MESSAGE_KINDS[payload.readUInt8(5) - 1];
  if (kind === undefined) throw new WireError('kind', `${payload.readUInt8(5)}`);
  const flags = payload.readUInt16LE(6);
  if (flags !== 0) throw new WireError('flags', `0x${flags.toString(16)}`);
  const part = payload.readUInt16LE(8);
  const parts = payload.readUInt16LE(10);
  if (part >= parts) throw new WireError('part-index', `${part} of ${parts}`);
  const bodyBytes = payload.readUInt32LE(12);
  if (bodyBytes < SMALLEST_BODY || bodyBytes > maxBodyBytes) {
    throw new WireError('body-size', `${bodyBytes} bytes, at most ${maxBodyBytes}`);
  }
  const offset = payload.readUInt32LE(16);
  const length = payload.length - ENVELOPE_BYTES;
  if (!partFits(part, parts, offset, length, bodyBytes)) {
    throw new WireError(
      'part-arithmetic',
      `part ${part} of ${parts}: ${length} bytes at ${offset} of ${bodyBytes}`,
    );
  }
  const checksum = payload.readUInt32LE(28);
  if (crc32(payload.subarray(ENVELOPE_BYTES)) !== checksum) throw new WireError('checksum');
  return { kind, part, parts, bodyBytes, offset, id: payload.readBigUInt64LE(20), checksum };
}

/** All parts but the last carry the same number of bytes, and the last at least one and no more than they. */
function partFits(part: number, parts: number, offset: number, length: number, bodyBytes: number): boolean {
  if (length === 0) return false;
  if (part < parts - 1) {
    return offset === part * length && (parts - 1) * length < bodyBytes && bodyBytes <= parts * length;
  }
  if (offset + length !== bodyBytes) return false;
  if (part === 0) return offset === 0;
  return offset % part === 0 && length <= offset / part;
}
