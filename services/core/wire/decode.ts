/** Reads a body: one safetensors file from the network, trusted in nothing until checked. */

import { isUtf8 } from 'node:buffer';
import type { DType } from '../graph/types.ts';
import { MAX_RANK } from '../tensor/copy.ts';
import { elementBytes, fromSafetensorsName, tensorBytes } from '../tensor/dtype.ts';
import { whole } from '../tensor/region.ts';
import {
  CODECS,
  type Codec,
  isDeflated,
  isPictureCodec,
  type PictureCodec,
  type ValueCodec,
  valueCodec,
} from './codecs.ts';
import { inflated, unpackedBytes } from './deflate.ts';
import { DEFAULT_MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_NAME_LENGTH, MAX_TENSORS } from './limits.ts';
import type { Message, MessageKind, MessageMeta, PackedTensor, Piece, TensorData } from './message.ts';
import { isObject, metadataFromText, parseJson } from './metadata.ts';
import { pictureLayout } from './picture.ts';
import { WireError } from './wire-error.ts';

export interface Decoded extends Message {
  /** Tensors that had to be copied because they started at an odd byte. */
  readonly misaligned: number;
}

interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a body. Tensors are views into it wherever they are aligned to their elements, in the order of their bytes.
 * `kind`, where given, is the envelope's, which the metadata must repeat; deflated tensors and pictures unpack to no
 * more than `maxBodyBytes` together. Pictures are left as they are. Throws WireError.
 */
export function decodeBody(
  body: Buffer,
  kind?: MessageKind,
  maxBodyBytes: number = DEFAULT_MAX_BODY_BYTES,
): Decoded {
  const header = readHeader(body);
  const meta = metadataFromText(
    Object.hasOwn(header, '__metadata__') ? header.__metadata__ : undefined,
    kind,
  );
  const data = body.subarray(8 + Number(body.readBigUInt64LE(0)));
  const entries = readEntries(header, data.length);
  checkUnpacked(entries, meta, maxBodyBytes);
  const tensors: TensorData[] = [];
  let misaligned = 0;
  for (const entry of entries) {
    let bytes: Uint8Array = data.subarray(entry.begin, entry.end);
    if (bytes.byteOffset % elementBytes(entry.dtype) !== 0) {
      bytes = Uint8Array.from(bytes);
      misaligned++;
    }
    tensors.push(applyCodec(entry, bytes, meta));
  }
  checkNames(meta, tensors);
  return { meta, tensors, misaligned };
}

function readHeader(body: Buffer): Record<string, unknown> {
  if (body.length < 16) throw new WireError('header-length', `${body.length} bytes`);
  const length = body.readBigUInt64LE(0);
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, body.length - 8)) || length % 8n !== 0n || length < 8n) {
    throw new WireError('header-length', `${length} of ${body.length} bytes`);
  }
  const bytes = body.subarray(8, 8 + Number(length));
  const header = isUtf8(bytes) ? parseJson(bytes.toString('utf8')) : undefined;
  if (!isObject(header)) throw new WireError('header-text');
  return header;
}

/** The tensors in the order of their bytes, which they must fill without gap or overlap. */
function readEntries(header: Record<string, unknown>, dataBytes: number): Entry[] {
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  if (names.length > MAX_TENSORS) throw new WireError('tensor-count', `${names.length}`);
  const entries = names.map((name) => readEntry(name, header[name], dataBytes));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const entry of entries) {
    if (entry.begin !== end) throw new WireError('tensor-gap', entry.name);
    end = entry.end;
  }
  if (end !== dataBytes) throw new WireError('tensor-gap', `${dataBytes - end} bytes at the end`);
  return entries;
}

function readEntry(name: string, value: unknown, dataBytes: number): Entry {
  if (name === '' || name === '__proto__' || name.length > MAX_NAME_LENGTH)
    throw new WireError('tensor-name');
  if (!isObject(value)) throw new WireError('tensor-entry', name);
  const { dtype: wireName, shape, data_offsets: offsets } = value;
  if (typeof wireName !== 'string' || !Array.isArray(shape) || !Array.isArray(offsets)) {
    throw new WireError('tensor-entry', name);
  }
  const dtype = fromSafetensorsName(wireName);
  if (dtype === undefined) throw new WireError('tensor-dtype', name);
  if (shape.length > MAX_RANK || !shape.every(isNatural)) throw new WireError('tensor-shape', name);
  const [begin, end] = offsets;
  if (offsets.length !== 2 || !isNatural(begin) || !isNatural(end) || begin > end || end > dataBytes) {
    throw new WireError('tensor-offsets', name);
  }
  // A product beyond the safe integers cannot equal a difference within them.
  if (tensorBytes(dtype, shape) !== end - begin) throw new WireError('tensor-bytes', name);
  return { name, dtype, shape, begin, end };
}

function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** How many times as many bytes values take when they are what they were. */
const WIDER: Readonly<Record<ValueCodec, number>> = { raw: 1, fp16: 2, uint8: 4 };

/** A little message must not become a large one: of tensors that are not views of it, by what they are made into. */
function checkUnpacked(entries: readonly Entry[], { codecs, packed }: MessageMeta, most: number): void {
  if (codecs === undefined) return;
  let bytes = 0;
  for (const { name, begin, end } of entries) {
    const codec = codecs[name];
    const packedUp = isDeflated(codec) || isPictureCodec(codec);
    if (!packedUp && valueCodec(codec) === 'raw') continue;
    bytes += (packedUp ? unpackedBytes(name, packed?.[name]) : end - begin) * WIDER[valueCodec(codec)];
  }
  if (!(bytes <= most)) throw new WireError('codec', `${bytes} bytes when unpacked`);
}

function applyCodec(entry: Entry, bytes: Uint8Array, meta: MessageMeta): TensorData {
  const { name, dtype, shape } = entry;
  const codec = meta.codecs?.[name];
  if (codec === undefined || codec === 'raw') return { name, dtype, shape, bytes };
  if (!CODECS.has(codec)) throw new WireError('codec', codec.slice(0, 64));
  const packed = isDeflated(codec);
  const picture = isPictureCodec(codec) ? codec : undefined;
  if ((packed || picture !== undefined) && (dtype !== 'uint8' || shape.length !== 1))
    throw new WireError('codec', `${codec} of ${dtype}`);
  if (picture !== undefined) return unread(name, bytes, picture, meta.packed?.[name]);
  const tensor = packed ? inflated(name, bytes, meta.packed?.[name]) : { name, dtype, shape, bytes };
  return withValues(tensor, valueCodec(codec), meta);
}

/** A picture of the tensor that `as` describes; whether the file is one, and of that size, is seen when it is read. */
function unread(
  name: string,
  bytes: Uint8Array,
  picture: PictureCodec,
  as: PackedTensor | undefined,
): TensorData {
  const shape = as?.shape ?? [];
  if (as?.dtype !== 'U8' || pictureLayout(shape, picture) === undefined || bytes.length === 0)
    throw new WireError('codec', `${picture} of ${name}`);
  return { name, dtype: 'uint8', shape, bytes, picture };
}

/** A tensor whose elements are in the form of `codec`, as it was. */
function withValues(tensor: TensorData, codec: ValueCodec, { scales }: MessageMeta): TensorData {
  if (codec === 'raw') return tensor;
  const { name, dtype, bytes } = tensor;
  const values = CODECS.get(codec) as Codec;
  const decoded = values.tensorType(dtype);
  const scale = scales?.[name];
  if (decoded === undefined) throw new WireError('codec', `${codec} does not make ${dtype}`);
  if (codec === 'uint8' && scale === undefined) throw new WireError('codec', `no scale of ${name}`);
  return { ...tensor, dtype: decoded, bytes: values.decode(dtype, bytes, scale) };
}

/** Regions and codecs name tensors of the message, and a region has its tensor's extents. */
function checkNames(meta: MessageMeta, tensors: readonly TensorData[]): void {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  for (const [name, region] of Object.entries(meta.regions ?? {})) {
    const shape = shapes.get(name);
    const fits =
      shape?.length === region.length && region.every(([begin, end], axis) => end - begin === shape[axis]);
    if (!fits) throw new WireError('region', name);
  }
  for (const name of [...Object.keys(meta.codecs ?? {}), ...Object.keys(meta.scales ?? {})]) {
    if (!shapes.has(name)) throw new WireError('codec', `no tensor ${name}`);
  }
}

/** The tensors of a message with their places in the plan's tensors; one without a region is the whole. */
export function messagePieces({ meta, tensors }: Message): Piece[] {
  return tensors.map((tensor) => ({ tensor, region: meta.regions?.[tensor.name] ?? whole(tensor.shape) }));
}
