import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { type Conformance, type ConformOptions, conform } from '../../tools/conform.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { PYTHON, PYTHON_WORKER } from '../support/python.ts';
import { problem } from '../support/tensors.ts';

const WORKER = new URL('./conform-worker.mjs', import.meta.url).pathname;
const folder = temporaryFolder();
afterAll(() => folder.remove());
const LIMITS: ConformOptions = { readyMs: 30_000, answerMs: 10_000 };

const failed = ({ rules }: Conformance) => rules.filter(({ pass }) => pass === false).map(({ id }) => id);

/** Ids of the rules a command breaks, with what was seen. */
async function broken(command: readonly string[], limits = LIMITS): Promise<Record<string, string>> {
  const { rules, pass } = await conform(command, limits);
  const broken = rules.filter((rule) => rule.pass === false);
  expect(pass).toBe(broken.length === 0);
  return Object.fromEntries(broken.map(({ id, detail }) => [id, detail]));
}

describe('conform', () => {
  it('passes the worker of the project', async () => {
    const tilepipe = join(packageRoot(), 'tools/tilepipe.mjs');
    expect(await broken([process.execPath, tilepipe, 'worker', '--no-profile'])).toEqual({});
  });

  it.skipIf(PYTHON === undefined)('passes the worker in Python', async () => {
    expect(await broken([PYTHON as string, PYTHON_WORKER])).toEqual({});
  });

  it('finds numbers that are off', async () => {
    const found = await broken([process.execPath, WORKER, 'wrong-numbers']);
    expect(found.T1).toMatch(/off by/);
    expect(found.W1 ?? found.W2 ?? found.L1).toBeUndefined();
  });

  it('finds a missing Last Will, parts that are too large, and an end without a farewell', async () => {
    // Ends with a code of its own, as npx does: that is not the worker's.
    const npx = join(folder.path, 'npx');
    writeFileSync(npx, '#!/bin/sh\n"$@" &\ntrap "wait; exit 143" TERM\nwait\n', { mode: 0o755 });
    // Most of the time of each is waiting for what never comes.
    const limits = { ...LIMITS, answerMs: 5_000 };
    const [will, parts, farewell] = await Promise.all([
      conform([process.execPath, WORKER, 'no-will'], limits),
      conform([npx, process.execPath, WORKER, 'large-parts'], limits),
      conform([process.execPath, WORKER, 'no-drain'], limits),
    ]);
    expect([will, parts, farewell].map(failed)).toEqual([['L1'], ['T3'], ['L3']]);
    const last = parts.rules.at(-1);
    expect([last?.id, last?.pass, last?.detail]).toEqual([
      'L3',
      undefined,
      expect.stringContaining('npx keeps its exit code to itself'),
    ]);
  }, 150_000);

  it('tells a command that is no worker, or ends at once, from a slow one', async () => {
    const limits = { readyMs: 2_000, answerMs: 500 };
    await expect(conform([process.execPath, '-e', 'process.exit(3)'], limits)).rejects.toEqual(
      problem('conform-failed', 'the command ended: code 3, before it said that it is online (W1)'),
    );
    await expect(conform(['/nonexistent/worker'], limits)).rejects.toEqual(
      problem('usage', '/nonexistent/worker cannot be started: spawn'),
    );
    const silent = await broken([process.execPath, WORKER, 'wrong-id'], limits);
    expect(silent.W1).toContain('nothing came');
    expect(Object.keys(silent)).toHaveLength(25);
    await expect(conform([], limits)).rejects.toMatchObject({ code: 'usage' });
  });
});
