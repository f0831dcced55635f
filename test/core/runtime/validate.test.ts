import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig, parseConfig } from '../../../services/core/runtime/config.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { validator } from '../../../services/core/runtime/validate.ts';
import { announcementSchema } from '../../../services/core/schema/generated/announcement.ts';
import { planSchema } from '../../../services/core/schema/generated/plan.ts';
import { type Status, statusSchema } from '../../../services/core/schema/generated/status.ts';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Sample {
  broker: { url: string; password?: string; port: number };
  grid?: number[];
  mode?: 'live' | 'every';
}
const sampleSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['broker'],
  properties: {
    broker: {
      type: 'object',
      additionalProperties: false,
      required: ['url'],
      properties: {
        url: { type: 'string' },
        password: { type: 'string' },
        port: { type: 'integer', minimum: 1, default: 1883 },
      },
    },
    grid: { type: 'array', items: { type: 'integer' }, tsType: '[rows: number, columns: number]' },
    mode: { enum: ['live', 'every'] },
  },
};
const sample = validator<Sample>(sampleSchema, 'config-invalid');

function failure(work: () => unknown): TilepipeError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(TilepipeError);
    return error as TilepipeError;
  }
  throw new Error('nothing was thrown');
}

describe('validator', () => {
  test('returns the value with defaults filled in', () => {
    expect(sample({ broker: { url: 'x' } })).toEqual({ broker: { url: 'x', port: 1883 } });
  });

  test('lists every problem with its path, and suggests the key that was meant', () => {
    const value = { broker: { ulr: 'x', port: 0 }, grid: [1, 'two'], mode: 'evry', extra: true };
    const error = failure(() => sample(value, 'tilepipe.yaml'));
    expect(error.code).toBe('config-invalid');
    expect(error.message.startsWith('tilepipe.yaml: ')).toBe(true);
    for (const part of [
      'broker.url: is missing',
      'broker.ulr: unknown key, did you mean "url"?',
      'broker.port: must be >= 1',
      'grid[1]: must be integer',
      'mode: must be one of live, every; did you mean "every"?',
      'extra: unknown key, known: broker, grid, mode',
    ]) {
      expect(error.message).toContain(part);
    }
  });

  test.each([[null], [[]], ['text'], [3]])('refuses %j for what it is', (value) => {
    expect(failure(() => sample(value)).message).toBe('value: must be object');
  });

  test('a document with a thousand problems gives a short message', () => {
    const value = { broker: { url: 'x' }, grid: Array(1000).fill('x') };
    expect(failure(() => sample(value)).message).toMatch(/; and 980 more$/);
    const first = validator<Sample>(sampleSchema, 'wire-invalid', { firstOnly: true });
    expect(failure(() => first(value)).message).toBe('grid[0]: must be integer');
  });

  test('the generated schemas compile in strict mode', () => {
    const status = validator<Status>(statusSchema, 'wire-invalid');
    const good: Status = { role: 'worker', id: 'a', state: 'online', wire: [1], version: '0' };
    expect(status(good)).toBe(good);
    expect(failure(() => status({ ...good, state: 'asleep' })).message).toContain('state: must be one of');
    for (const schema of [planSchema, announcementSchema]) {
      expect(failure(() => validator(schema, 'plan-invalid')({})).message).toContain('is missing');
    }
  });
});

describe('configuration', () => {
  /** A reference to the environment, as a file spells it. */
  const from = (name: string) => `\${${name}}`;
  const parse = (text: string, environment = {}) =>
    parseConfig(text, join(folder, 'c.yaml'), sample, environment);

  test('is read from YAML, with values from the environment', () => {
    const text = `broker:\n  url: mqtt://${from('HOST')}:${from('PORT:-1883')}\n  password: ${from('SECRET')}\n`;
    expect(parse(text, { HOST: 'hub', SECRET: 's' }).broker).toEqual({
      url: 'mqtt://hub:1883',
      password: 's',
      port: 1883,
    });
  });

  test('takes a secret from a file beside it', () => {
    writeFileSync(join(folder, 'password'), 's3cret\n');
    expect(parse('broker: {url: x, password: {file: password}}').broker.password).toBe('s3cret');
    expect(failure(() => parse('broker: {url: x, password: {file: none}}')).message).toContain(
      'broker.password',
    );
    // Elsewhere such an object is data like any other.
    expect(failure(() => parse('broker: {url: {file: password}}')).message).toContain(
      'broker.url: must be string',
    );
  });

  test('names a variable that is not set, and where', () => {
    const error = failure(() => parse(`broker: {url: "${from('NOWHERE')}"}`));
    expect(error.message).toContain('broker.url: the environment variable NOWHERE is not set');
  });

  test.each([
    ['a syntax error', 'broker: [', /line 1/],
    ['a key given twice', 'broker: {url: a}\nbroker: {url: b}', /unique.*line 2/],
    ['an empty file', '', /broker: is missing/],
  ])('%s is told with the file and the place', (_, text, message) => {
    const error = failure(() => parse(text));
    expect(error.code).toBe('config-invalid');
    expect(error.message).toContain('c.yaml');
    expect(error.message).toMatch(message);
  });

  test('a missing file is named', () => {
    const error = failure(() => loadConfig(join(folder, 'missing.yaml'), sample));
    expect(error.code).toBe('config-invalid');
    expect(error.message).toContain('missing.yaml');
    writeFileSync(join(folder, 'there.yaml'), 'broker: {url: x}');
    expect(loadConfig(join(folder, 'there.yaml'), sample).broker.url).toBe('x');
  });
});
