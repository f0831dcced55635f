/** Reads a body: one safetensors file from the network, trusted in nothing until checked. */

import { isUtf8 } from 'node:buffer';
import type { DType } from '../graph/types.ts';
import { MAX_RANK } from '../tensor/copy.ts';
import { elementBytes, fromSafetensorsName, tensorBytes } from '../tensor/dtype.ts';
import { whole } from '../tensor/region.ts';
import { CODECS, DEFLATE } from './codecs.ts';
import { inflated, unpackedBytes } from './deflate.ts';
import { DEFAULT_MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_NAME_LENGTH, MAX_TENSORS } from './limits.ts';
import type { Message, MessageKind, MessageMeta, Piece, TensorData } from './message.ts';
import { isObject, metadataFromText, parseJson } from './metadata.ts';
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
 * `kind`, where given, is the envelope's, which the metadata must repeat; deflated tensors unpack to no more than
 * `maxBodyBytes` together. Throws WireError.
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

function checkUnpacked(entries: readonly Entry[], { codecs, packed }: MessageMeta, most: number): void {
  if (packed === undefined) return;
  let bytes = 0;
  for (const { name } of entries) if (codecs?.[name] === DEFLATE) bytes += unpackedBytes(name, packed[name]);
  if (!(bytes <= most)) throw new WireError('codec', `${DEFLATE} of ${bytes} bytes`);
}

function applyCodec({ name, dtype, shape }: Entry, bytes: Uint8Array, meta: MessageMeta): TensorData {
  const codecName = meta.codecs?.[name];
  if (codecName === undefined || codecName === 'raw') return { name, dtype, shape, bytes };
  if (codecName === DEFLATE) {
    if (dtype !== 'uint8' || shape.length !== 1) throw new WireError('codec', `${DEFLATE} of ${dtype}`);
    return inflated(name, bytes, meta.packed?.[name]);
  }
  const codec = CODECS.get(codecName);
  if (codec === undefined) throw new WireError('codec', codecName.slice(0, 64));
  const decoded = codec.tensorType(dtype);
  if (decoded === undefined) throw new WireError('codec', `${codecName} does not make ${dtype}`);
  return { name, dtype: decoded, shape, bytes: codec.decode(dtype, bytes) };
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
  for (const name of Object.keys(meta.codecs ?? {})) {
    if (!shapes.has(name)) throw new WireError('codec', `no tensor ${name}`);
  }
}

/** The tensors of a message with their places in the plan's tensors; one without a region is the whole. */
export function messagePieces({ meta, tensors }: Message): Piece[] {
  return tensors.map((tensor) => ({ tensor, region: meta.regions?.[tensor.name] ?? whole(tensor.shape) }));
}
