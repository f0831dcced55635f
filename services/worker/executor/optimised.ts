/**
 * Optimised forms of sub-models: the executor's own rewriting of a model for this machine, kept on disk.
 * They hold weights laid out for one kind of processor by one version of the library, so their folder is
 * named after both, and they never leave the machine.
 */

import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { arch, cpus } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Names inside the folder of one optimised form; the model refers to the weights by that name. */
export const MODEL_FILE = 'model.onnx';
export const WEIGHTS_FILE = 'weights';

const DIGEST = /^[0-9a-f]{64}$/;
const DIGEST_PIECE = 2 ** 20;

/**
 * Folder of the optimised form of a sub-model file, or undefined where the file is not named by its digest:
 * a file that can change under its name has no lasting form.
 */
export function optimisedFolder(below: string, executor: string, path: string): string | undefined {
  const digest = basename(path);
  if (!DIGEST.test(digest)) return undefined;
  const machine = `${executor} ${arch()} ${cpus()[0]?.model ?? ''}`;
  return join(below, createHash('sha256').update(machine).digest('hex').slice(0, 16), digest);
}

/**
 * Makes a draft the form in `folder`. Workers that share the cache may make the same form at the same time: the first
 * to be done is kept, whole, and the draft of every other goes. Throws where the disk does not take it.
 */
export function keepForm(draft: string, folder: string): void {
  shareWeights(draft, dirname(folder));
  // Weights that were never written, though their name was, would be zeros after a power cut, and nobody would notice.
  for (const name of readdirSync(draft)) flush(join(draft, name));
  try {
    renameSync(draft, folder);
  } catch (error) {
    // A folder that is not empty is never replaced: somebody else's form is there.
    if (!existsSync(join(folder, MODEL_FILE))) throw error;
    rmSync(draft, { recursive: true, force: true });
  }
}

function flush(path: string): void {
  const opened = openSync(path, 'r+');
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}

/**
 * Pad patterns of one block have the same weights: equal files become one by hard links, so that they are in
 * memory once. `draft` holds a weights file, `shelf` is the folder of all forms.
 */
function shareWeights(draft: string, shelf: string): void {
  const file = join(draft, WEIGHTS_FILE);
  if (!existsSync(file)) return;
  const shared = join(shelf, `weights-${digestOf(file)}`);
  if (linked(file, shared) || !linked(shared, `${file}.shared`)) return;
  renameSync(`${file}.shared`, file);
}

/** Piece by piece: the weights of a large model are not wanted in memory twice. */
function digestOf(file: string): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(DIGEST_PIECE);
  const opened = openSync(file, 'r');
  try {
    for (let taken = readSync(opened, piece); taken > 0; taken = readSync(opened, piece))
      hash.update(piece.subarray(0, taken));
  } finally {
    closeSync(opened);
  }
  return hash.digest('hex');
}

/** False where the new name is taken, or the file has gone: another worker links or tidies up at the same time. */
function linked(file: string, name: string): boolean {
  try {
    linkSync(file, name);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
    return false;
  }
}

/** Forms nobody loaded for this long are made again when they are needed after all. */
const UNUSED_MS = 30 * 24 * 3_600_000;

/** Notes that a form is in use. */
export function touchForm(folder: string): void {
  const now = new Date();
  utimesSync(folder, now, now);
}

/** Removes what has not been used for a month, of this executor and of earlier ones. Never throws. */
export function removeUnused(below: string, now = Date.now()): void {
  try {
    for (const shelf of readdirSync(below)) {
      const folder = join(below, shelf);
      for (const name of readdirSync(folder)) {
        const entry = join(folder, name);
        const { mtimeMs, nlink } = statSync(entry);
        // Weights on the shelf live as long as a form is linked to them.
        const unused = name.startsWith('weights-') ? nlink === 1 : now - mtimeMs > UNUSED_MS;
        if (unused) rmSync(entry, { recursive: true, force: true });
      }
    }
  } catch {
    // Not there yet, or another worker tidies up at the same time.
  }
}

/** Tags of an ONNX node's operator name: field 4 of NodeProto, as protobuf writes it. */
const operatorName = (op: string): Buffer => Buffer.concat([Buffer.from([0x22, op.length]), Buffer.from(op)]);
const GEMM = operatorName('Gemm');
/** Operators whose packed weights are worth their memory; on x86-64 a Conv has none. */
const PACKED = [
  ...[
    'ConvTranspose',
    'MatMul',
    'MatMulInteger',
    'QLinearMatMul',
    'ConvInteger',
    'QLinearConv',
    'LSTM',
    'GRU',
  ],
  ...(arch() === 'x64' ? [] : ['Conv']),
].map(operatorName);
const CONV = operatorName('Conv');

/**
 * Whether a sub-model gains from unpacked weights: fully connected layers of one row each read their weights
 * once, so packing doubles the memory (793 MB against 8 for VGG-16's first) and is 15-30 % slower.
 */
export function runsUnpacked(model: Buffer): boolean {
  return model.includes(GEMM) && !PACKED.some((op) => model.includes(op));
}

/** Whether its weights are laid out anew for this processor: then the outcome is kept, and mapped. */
export function isRewritten(model: Buffer): boolean {
  return !runsUnpacked(model) || model.includes(CONV);
}
