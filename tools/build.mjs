// Compiles services/ and tools/ into dist/ when a source is newer than the last build.
// Of commands started together one builds, and the others wait for it.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'dist', '.built');
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

/** Newest modification time, in milliseconds, of the TypeScript sources below `folder`. */
function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) latest = Math.max(latest, newest(path));
    else if (entry.name.endsWith('.ts')) latest = Math.max(latest, statSync(path).mtimeMs);
  }
  return latest;
}

function sourceStamp() {
  const latest = Math.max(
    newest(join(root, 'services')),
    newest(join(root, 'tools')),
    statSync(join(root, 'tsconfig.json')).mtimeMs,
  );
  return String(latest);
}

const lock = join(root, '.dist-lock');
/** A lock this old was left by a process that is gone: no build takes so long. */
const ABANDONED_MS = 120_000;

function isFresh(wanted) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

/** Whether this process may build now; false while another does. */
function takeLock() {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  try {
    if (Date.now() - statSync(lock).mtimeMs > ABANDONED_MS) rmSync(lock, { recursive: true, force: true });
  } catch {
    // Gone meanwhile: the next try takes it.
  }
  return false;
}

/** Builds dist/ if it is missing or stale; does nothing where no compiler is installed (a packed release). */
export async function build({ force = false } = {}) {
  if (!existsSync(compiler)) return;
  const wanted = sourceStamp();
  if (!force && isFresh(wanted)) return;
  while (!takeLock()) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (!force && isFresh(wanted)) return;
  }
  try {
    compile(wanted);
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** Into a folder of its own, renamed into place: who runs dist/ meanwhile never sees half of it. */
function compile(wanted) {
  if (process.stderr.isTTY) process.stderr.write('building...\n');
  // Nobody else builds now: what is there was left by one that was killed.
  for (const name of readdirSync(root))
    if (/^\.dist-(old-)?\d+$/.test(name)) rmSync(join(root, name), { recursive: true, force: true });
  const out = join(root, `.dist-${process.pid}`);
  const result = spawnSync(
    process.execPath,
    [compiler, '-p', join(root, 'tools', 'tsconfig.build.json'), '--outDir', out],
    { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' },
  );
  if (result.status !== 0) {
    process.stderr.write(result.stdout ?? '');
    process.stderr.write('the build failed: correct the errors above and run the command again\n');
    rmSync(out, { recursive: true, force: true });
    rmSync(lock, { recursive: true, force: true });
    process.exit(4);
  }
  writeFileSync(join(out, '.built'), wanted);
  const old = join(root, `.dist-old-${process.pid}`);
  if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), old);
  renameSync(out, join(root, 'dist'));
  rmSync(old, { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await build({ force: process.argv.includes('--force') });
