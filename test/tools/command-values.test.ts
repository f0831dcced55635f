/** Values that commands take from people and from the wire. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../tools/config.ts';
import { interruption } from '../../tools/interrupt.ts';
import { portNumber, positive, share, whole } from '../../tools/numbers.ts';
import { readResult } from '../../tools/result-line.ts';
import { temporaryFolder } from '../support/cluster.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

function config(text: string): string {
  const path = join(folder.path, 'tilepipe.yaml');
  writeFileSync(path, text);
  return path;
}

const PIPELINES = 'pipelines: [{name: a, model: a.onnx}]\n';

describe('numbers', () => {
  test.each(['', ' ', '0', '5', '1.5', '-1', 'NaN', 'Infinity', 'four'])(
    'refuses "%s" from 1 to 4',
    (text) => {
      expect(() => whole(1, 4)(text)).toThrow(/whole number from 1 to 4/);
    },
  );

  test.each(['', '0', '-1', 'NaN', 'Infinity', '241'])('refuses "%s" above 0 and up to 240', (text) => {
    expect(() => positive(240)(text)).toThrow(/above 0 and up to 240/);
  });

  test.each(['', '-0.1', '1.1', 'NaN', 'most'])('refuses "%s" as a share', (text) => {
    expect(() => share(text)).toThrow(/share from 0 to 1/);
  });

  test('takes the ends of the range', () => {
    expect([share('0'), share('1')]).toEqual([0, 1]);
    expect([whole(1, 4)('1'), whole(1, 4)('4'), positive(240)('0.5'), portNumber('65535')]).toEqual([
      1, 4, 0.5, 65535,
    ]);
  });
});

describe('configuration', () => {
  test('defaults come from the schema', () => {
    expect(readConfig(config(PIPELINES))).toMatchObject({
      root: 'tilepipe',
      combined: true,
      broker: { host: '127.0.0.1', port: 1883, protocol: 4 },
      workers: { count: 1, threads: 1 },
      pipelines: [{ maxWaiting: 16, deadlineMs: 30_000, attempts: 3 }],
    });
  });

  test('a secret is read from its file', () => {
    writeFileSync(join(folder.path, 'secret'), 'open sesame\n');
    const { broker } = readConfig(
      config(`${PIPELINES}broker: {url: "mqtt://hub", password: {file: secret}}\n`),
    );
    expect(broker.password).toBe('open sesame');
  });

  test.each([
    ['broker: {protocol: 5}', /broker.protocol/],
    ['broker: {url: "http://hub"}', /broker.url/],
    ['broker: {url: "mqtt://::::"}', /broker.url/],
    ['workers: {count: 65}', /workers.count/],
    ['worker: {count: 1}', /did you mean "workers"/],
  ])('refuses %s', (line, reason) => {
    expect(() => readConfig(config(`${PIPELINES}${line}\n`))).toThrow(reason);
  });
});

test.each(['', 'null', '[]', '{"ok":true}', '{'])('%s is no result', (text) => {
  expect(readResult(Buffer.from(text))).toBeUndefined();
});

test('a signal that comes between two steps is heard by the next one', async () => {
  const interrupted = interruption();
  process.emit('SIGTERM', 'SIGTERM');
  await expect(interrupted.race(new Promise(() => {}))).rejects.toMatchObject({ code: 'interrupted' });
  expect(process.listenerCount('SIGTERM')).toBe(0);
});
