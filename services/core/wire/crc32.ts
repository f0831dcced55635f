/**
 * CRC-32 (IEEE 802.3, as zlib and PNG have it), fast enough not to decide the speed of a message.
 *
 * Node's own runs at about 1.7 GB/s. Most of the work can be done by exclusive-or alone: a multiple of the
 * generator polynomial with few terms, all of them whole 16-byte blocks apart, lets a block be removed by adding
 * it to four later ones, which leaves the remainder as it was (the idea of "Chorba", Russell, arXiv 2412.16398).
 * With y = x^128, the polynomial y^300 + y^155 + y^117 + y^89 + 1 is such a multiple, found by search; 4800 bytes
 * then remain for zlib. WebAssembly, because only there JavaScript has 128-bit exclusive-or.
 */

import { crc32 as zlibCrc32 } from 'node:zlib';

/** Blocks from a removed one to the four that take it up: 300 less each exponent of the multiple. */
const DISTANCES = [145, 183, 211, 300] as const;
const TAIL = 16 * 300;

/** Bytes removed per call: with the tail they stay in a first-level cache. */
const CHUNK = 28_672;

/** Below this, copying into the kernel's memory costs more than it saves. */
const WORTHWHILE = 16_384;

/** The part of the WebAssembly interface used here; the project's TypeScript library has no browser globals. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: { memory: { buffer: ArrayBuffer }; fold(end: number): void } };
};

/** Unsigned LEB128 (WebAssembly core specification, section 5.2.2). */
function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const section = (id: number, bytes: readonly number[]): number[] => [id, ...leb(bytes.length), ...bytes];

/** Opcodes used, with their operands' order as in the specification, section 5.4. */
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const V128 = 0xfd;
const [V128_LOAD, V128_STORE, V128_XOR] = [
  [V128, 0x00],
  [V128, 0x0b],
  [V128, 0x51],
] as const;
/** Both addresses are multiples of 16: alignment hint 2^4. */
const ALIGNED = 4;

/**
 * `fold(end)`: for every 16-byte block at `at` = 0, 16, ... below `end`, which must be positive:
 * adds the block to those at the four distances behind it.
 */
function kernel(): Uint8Array {
  const [end, at, block] = [0, 1, 2];
  const spread = DISTANCES.flatMap((distance) => {
    const offset = leb(16 * distance);
    const sum = [LOCAL_GET, at, ...V128_LOAD, ALIGNED, ...offset, LOCAL_GET, block, ...V128_XOR];
    return [LOCAL_GET, at, ...sum, ...V128_STORE, ALIGNED, ...offset];
  });
  const loop = [
    ...[0x03, 0x40], // loop
    ...[LOCAL_GET, at, ...V128_LOAD, ALIGNED, 0, LOCAL_SET, block],
    ...spread,
    ...[LOCAL_GET, at, 0x41, 16, 0x6a, LOCAL_TEE, at], // at += 16
    ...[LOCAL_GET, end, 0x49, 0x0d, 0], // branch back while at < end, unsigned
    0x0b,
  ];
  const body = [2, 1, 0x7f, 1, 0x7b, ...loop, 0x0b]; // locals: one i32, one v128
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 0]), // type: (i32) -> ()
    ...section(3, [1, 0]),
    ...section(5, [1, 0x01, 1, 1]), // memory: one page of 64 KB
    ...section(7, [2, ...name('memory'), 2, 0, ...name('fold'), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}

interface Folder {
  readonly memory: Uint8Array;
  readonly fold: (end: number) => void;
}

/** Null where the engine refuses (no SIMD, or run without a compiler): zlib does everything then. */
let folder: Folder | null | undefined;

function makeFolder(): Folder | null {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(kernel()));
    return { memory: new Uint8Array(exports.memory.buffer), fold: exports.fold };
  } catch {
    return null;
  }
}

/** CRC-32 of `bytes`, as an unsigned number; the same value as `zlib.crc32(bytes)`. */
export function crc32(bytes: Uint8Array): number {
  return checksum(bytes, undefined);
}

/** Copies `bytes` to the beginning of `target` and returns their CRC-32: both, while they are in the cache. */
export function copyWithCrc32(bytes: Uint8Array, target: Uint8Array): number {
  return checksum(bytes, target);
}

function checksum(bytes: Uint8Array, target: Uint8Array | undefined): number {
  if (bytes.length >= WORTHWHILE) {
    if (folder === undefined) folder = makeFolder();
    if (folder !== null) return foldedCrc32(folder, bytes, target);
  }
  target?.set(bytes);
  return zlibCrc32(bytes);
}

function foldedCrc32({ memory, fold }: Folder, bytes: Uint8Array, target: Uint8Array | undefined): number {
  let held = 0;
  let taken = 0;
  for (;;) {
    const chunk = bytes.subarray(taken, taken + CHUNK + TAIL - held);
    target?.set(chunk, taken);
    memory.set(chunk, held);
    // A CRC starts with all ones, which is the same as the first four bytes inverted and a start of zero.
    if (taken === 0) for (let i = 0; i < 4; i++) memory[i] = ~(memory[i] as number);
    taken += chunk.length;
    held += chunk.length;
    const removable = (held - TAIL) & ~15;
    if (removable > 0) {
      fold(removable);
      memory.copyWithin(0, removable, held);
      held -= removable;
    }
    if (taken === bytes.length) return zlibCrc32(memory.subarray(0, held), 0xffffffff);
  }
}
