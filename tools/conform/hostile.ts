/** Payloads a worker must survive, and one it must understand although part of it is from the future. */

import { crc32 } from '../../services/core/wire/crc32.ts';
import type { LaidMessage } from '../../services/core/wire/encode.ts';
import { writeEnvelope } from '../../services/core/wire/envelope.ts';
import { ENVELOPE_BYTES, MAX_TEXT_LENGTH } from '../../services/core/wire/limits.ts';
import type { MessageKind } from '../../services/core/wire/message.ts';
import { nextMessageId } from '../../services/core/wire/message-id.ts';

/** One part with an envelope that fits it. */
function framed(kind: MessageKind, body: Buffer): Buffer {
  const payload = Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), body]);
  const id = nextMessageId();
  writeEnvelope(payload, {
    kind,
    part: 0,
    parts: 1,
    bodyBytes: body.length,
    offset: 0,
    id,
    checksum: crc32(body),
  });
  return payload;
}

/** A safetensors body of this header text and data. */
function bodyOf(header: string, data: Buffer): Buffer {
  const text = Buffer.from(header.padEnd(Math.ceil(Buffer.byteLength(header) / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** The message with metadata fields replaced or added. */
function withFields({ meta, body }: LaidMessage, fields: Record<string, string>): Buffer {
  const length = Number(body.readBigUInt64LE(0));
  const header = JSON.parse(body.toString('utf8', 8, 8 + length)) as { __metadata__: Record<string, string> };
  Object.assign(header.__metadata__, fields);
  return framed(meta.kind, bodyOf(JSON.stringify(header), body.subarray(8 + length)));
}

/** The message with a metadata field nobody knows yet. */
export function withUnknownField(message: LaidMessage): Buffer {
  return withFields(message, { 'x-from-the-future': 'yes' });
}

/** A task with a deflated tensor `x` that does not unpack to what the message says: too few bytes, too many, any number. */
export function falselyPacked(message: LaidMessage): Buffer[] {
  const { shape = [] } = message.meta.packed?.x ?? {};
  const claiming = (claimed: readonly number[]): Buffer =>
    withFields(message, { packed: JSON.stringify({ x: { dtype: 'F32', shape: claimed } }) });
  const [frames = 1, channels = 1, rows = 1, columns = 1] = shape;
  return [
    claiming([frames, channels, rows - 1, columns]),
    claiming([frames, channels, rows + 1, columns]),
    claiming([frames, channels, 2 ** 20, 2 ** 20]),
    claiming([]),
    withFields(message, { packed: '{}' }),
  ];
}

/** As long as the header may be all but filled by: an answer that repeats it has no room. */
const FILLING = 60_000;

/** A task that is right but for one name or topic, longer than any may be. */
export function overlongNames(message: LaidMessage): Buffer[] {
  const { name, topic } = MAX_TEXT_LENGTH;
  return [
    withFields(message, { frame: 'f'.repeat(name + 1) }),
    withFields(message, { frame: 'f'.repeat(FILLING) }),
    // Each of these letters is two units.
    withFields(message, { source: '\u{1f4f7}'.repeat(name / 2 + 1) }),
    withFields(message, { reply: `${message.meta.reply}${'/'.repeat(topic)}` }),
  ];
}

/** Variations on a good payload of one part, each broken in one way. */
export function hostilePayloads(good: Buffer): Buffer[] {
  const changed = (change: (copy: Buffer) => void): Buffer => {
    const copy = Buffer.from(good);
    change(copy);
    return copy;
  };
  const entry = { x: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } };
  const task = (header: unknown, bytes = 16): Buffer =>
    framed('task', bodyOf(JSON.stringify(header), Buffer.alloc(bytes)));
  return [
    Buffer.alloc(0),
    Buffer.from('hello'),
    Buffer.alloc(200, 0xff),
    good.subarray(0, 20),
    good.subarray(0, ENVELOPE_BYTES),
    good.subarray(0, good.length - 1),
    Buffer.concat([good, Buffer.from([0])]),
    changed((copy) => copy.write('NOPE', 0, 'latin1')),
    changed((copy) => copy.writeUInt8(99, 4)),
    changed((copy) => copy.writeUInt8(0, 5)),
    changed((copy) => copy.writeUInt8(200, 5)),
    changed((copy) => copy.writeUInt16LE(1, 6)),
    changed((copy) => copy.writeUInt16LE(7, 8)),
    changed((copy) => copy.writeUInt16LE(0, 10)),
    changed((copy) => copy.writeUInt32LE(0xffffffff, 12)),
    changed((copy) => copy.writeUInt32LE(12345, 16)),
    changed((copy) => copy.writeUInt32LE(0, 28)),
    changed((copy) => copy.writeUInt8(copy.readUInt8(good.length - 1) ^ 1, good.length - 1)),
    framed('task', Buffer.alloc(64, 0xff)),
    framed('task', bodyOf('{"__metadata__":', Buffer.alloc(16))),
    framed('task', bodyOf('[]', Buffer.alloc(16))),
    task({ ...entry }),
    task({ __metadata__: { kind: 'done' }, ...entry }),
    task({ __metadata__: { kind: 'task', deadlineMs: 'soon' }, ...entry }),
    task({ __metadata__: { kind: 'task', regions: '{' }, ...entry }),
    task({ __metadata__: { kind: 'task' }, x: { dtype: 'F99', shape: [4], data_offsets: [0, 16] } }),
    task({ __metadata__: { kind: 'task' }, x: { dtype: 'F32', shape: [-4], data_offsets: [0, 16] } }),
    task({ __metadata__: { kind: 'task' }, x: { dtype: 'F32', shape: [2 ** 40], data_offsets: [0, 16] } }),
    task({ __metadata__: { kind: 'task' }, x: { dtype: 'F32', shape: [4], data_offsets: [8, 24] } }),
    task({ __metadata__: { kind: 'task' } }, 16),
    task(
      { __metadata__: { kind: 'task', reply: 'tilepipe/status/worker/other', frame: 'f', task: 'small' } },
      0,
    ),
  ];
}
