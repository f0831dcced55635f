/** The small parts of the runtime that are values: counters, platform, paths, clock, suggestions, tables. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { monotonicMs } from '../../../services/core/runtime/clock.ts';
import { Counters } from '../../../services/core/runtime/counters.ts';
import { ERRORS, EXIT, TilepipeError } from '../../../services/core/runtime/errors.ts';
import { createLog } from '../../../services/core/runtime/log.ts';
import { cacheFolder, cachePath } from '../../../services/core/runtime/paths.ts';
import { checkPlatform } from '../../../services/core/runtime/platform.ts';
import { nearest } from '../../../services/core/runtime/suggest.ts';
import { errorsPage } from '../../../tools/docs/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'runtime-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('counters count, and a snapshot does not change', () => {
  const counters = new Counters();
  counters.add('frames');
  counters.add('bytes', 100);
  const before = counters.snapshot();
  counters.add('frames');
  expect(before).toEqual({ frames: 1, bytes: 100 });
  expect(counters.get('frames')).toBe(2);
  expect(counters.get('never')).toBe(0);
});

test.each([
  ['linux', 'x64'],
  ['linux', 'arm64'],
  ['darwin', 'arm64'],
  ['win32', 'x64'],
])('%s on %s is supported', (platform, arch) => {
  expect(() => checkPlatform({ platform, arch })).not.toThrow();
});

test.each([
  ['linux', 'arm', 'Linux on 32-bit ARM'],
  ['linux', 'ia32', 'Linux on 32-bit x86'],
  ['linux', 'riscv64', 'riscv64'],
  ['darwin', 'x64', 'macOS on x86-64'],
  ['freebsd', 'x64', 'freebsd'],
])('%s on %s is refused by name', (platform, arch, name) => {
  const refuse = () => checkPlatform({ platform, arch });
  expect(refuse).toThrow(name);
  expect(refuse).toThrow(expect.objectContaining({ code: 'platform-unsupported' }));
});

test('the cache is where the environment says', () => {
  expect(cachePath({ TILEPIPE_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
  expect(cachePath({ XDG_CACHE_HOME: '/b' })).toBe(join('/b', 'tilepipe'));
  expect(cachePath({})).toBe(join(homedir(), '.cache', 'tilepipe'));
});

test('a cache folder is made and proved writable, or refused', () => {
  const environment = { TILEPIPE_CACHE: join(folder, 'new') };
  expect(cacheFolder('blobs', environment)).toBe(join(folder, 'new', 'blobs'));
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const refused = () => cacheFolder('', { TILEPIPE_CACHE: join(file, 'below') });
  expect(refused).toThrow(expect.objectContaining({ code: 'cache-unwritable' }));
  // A virtual file system refuses even root, whom permission bits do not stop.
  const virtual = () => cacheFolder('', { TILEPIPE_CACHE: '/proc/tilepipe' });
  expect(virtual).toThrow(expect.objectContaining({ code: 'cache-unwritable' }));
});

test('the clock does not go backwards', () => {
  const stamps = Array.from({ length: 1000 }, monotonicMs);
  expect(stamps.every((stamp, i) => i === 0 || stamp >= (stamps[i - 1] as number))).toBe(true);
});

test.each([
  ['brokre', ['broker', 'splitter'], 'broker'],
  ['maxMesageBytes', ['maxMessageBytes', 'maxConnections'], 'maxMessageBytes'],
  ['Grid', ['grid'], 'grid'],
  ['zebra', ['broker', 'splitter'], undefined],
  ['x', [], undefined],
])('the word nearest to %s', (word, candidates, expected) => {
  expect(nearest(word, candidates)).toBe(expected);
});

test('the log writes JSON lines with a name, from its level up', () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  const log = createLog('worker-a', { level: 'info', destination });
  log.debug('too fine');
  log.info({ frame: 'f1', bytes: 803_000 }, 'task ended');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { name: 'worker-a', frame: 'f1', bytes: 803_000, msg: 'task ended' },
  ]);
  createLog('x', { level: 'loud', destination }).info('still there');
  expect(JSON.parse(lines[1] as string).msg).toContain('"loud"');
  expect(JSON.parse(lines[2] as string).msg).toBe('still there');
});

test('every error code stands on the docs page with its exit code', () => {
  const page = errorsPage();
  for (const [code, { exit, fix }] of Object.entries(ERRORS)) {
    expect(page).toContain(`| \`${code}\` | ${exit} |`);
    expect(fix).not.toBe('');
  }
  for (const code of Object.values(EXIT)) expect(page).toContain(`| ${code} | `);
  expect(new TilepipeError('port-taken', 'x').exit).toBe(EXIT.environment);
});
