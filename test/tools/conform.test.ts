import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { type ConformOptions, conform } from '../../tools/conform.ts';
import { PYTHON, PYTHON_WORKER } from '../support/python.ts';

const WORKER = new URL('./conform-worker.mjs', import.meta.url).pathname;
const LIMITS: ConformOptions = { readyMs: 30_000, answerMs: 10_000 };

/** Ids of the rules a command breaks, with what was seen. */
async function broken(command: readonly string[], limits = LIMITS): Promise<Record<string, string>> {
  const { rules, pass } = await conform(command, limits);
  const failed = rules.filter((rule) => !rule.pass);
  expect(pass).toBe(failed.length === 0);
  return Object.fromEntries(failed.map(({ id, detail }) => [id, detail]));
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
    // Most of the time of each is waiting for what never comes.
    const limits = { ...LIMITS, answerMs: 5_000 };
    const defects = ['no-will', 'large-parts', 'no-drain'];
    const found = await Promise.all(
      defects.map((defect) => broken([process.execPath, WORKER, defect], limits)),
    );
    expect(found.map((rules) => Object.keys(rules))).toEqual([['L1'], ['T3'], ['L3']]);
  }, 150_000);

  it('tells a command that is no worker, or ends at once, from a slow one', async () => {
    const limits = { readyMs: 2_000, answerMs: 500 };
    const ended = await broken([process.execPath, '-e', 'process.exit(3)'], limits);
    expect(ended.W1).toBe('the command ended: code 3');
    expect(Object.keys(ended)).toHaveLength(22);
    expect((await broken(['/nonexistent/worker'], limits)).W1).toContain('ENOENT');
    expect((await broken([process.execPath, WORKER, 'wrong-id'], limits)).W1).toContain('nothing came');
    await expect(conform([], limits)).rejects.toMatchObject({ code: 'usage' });
  });
});
