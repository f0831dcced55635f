import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DTYPES } from '../../../services/core/tensor/dtype.ts';
import { CODECS } from '../../../services/core/wire/codecs.ts';
import * as limits from '../../../services/core/wire/limits.ts';
import { MESSAGE_KINDS } from '../../../services/core/wire/message.ts';
import { METADATA_FIELDS } from '../../../services/core/wire/metadata.ts';
import { WIRE_REASONS } from '../../../services/core/wire/wire-error.ts';

const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');

describe('docs/protocol.md says what the program does', () => {
  test.each(Object.entries(WIRE_REASONS))('reason %s', (reason, meaning) => {
    expect(page).toContain(`| \`${reason}\` | ${meaning} |`);
  });

  test.each([...MESSAGE_KINDS.entries()])('kind %d, %s', (position, kind) => {
    expect(page).toContain(`| ${position + 1} | \`${kind}\` |`);
  });

  test.each(Object.entries(METADATA_FIELDS))('metadata %s', (field, form) => {
    const row = page.split('\n').find((line) => line.startsWith('| `') && line.includes(`\`${field}\``));
    expect(row?.split('|')[2]?.trim().toLowerCase()).toBe(form);
  });

  test.each(Object.values(DTYPES))('type $wire', ({ wire }) => {
    expect(page).toMatch(new RegExp(`^- Types:.*\\b${wire}\\b`, 'm'));
  });

  test.each([...CODECS.keys()])('codec %s', (codec) => {
    expect(page).toContain(`| \`${codec}\` |`);
  });

  test('limits', () => {
    expect(page).toContain(`at most ${limits.MAX_HEADER_BYTES.toLocaleString('en')}`);
    expect(page).toContain(`${limits.DEFAULT_MAX_MESSAGE_BYTES.toLocaleString('en')} bytes`);
    expect(page).toContain(`at most ${limits.MAX_TENSORS}`);
    expect(page).toContain(`1 to ${limits.MAX_NAME_LENGTH} characters`);
    expect(page).toContain(`1 to ${limits.MAX_PARTS}`);
    const { name, topic, text } = limits.MAX_TEXT_LENGTH;
    expect(page).toContain(`*name*: at most ${name} characters`);
    expect(page).toContain(`*topic*: at most ${topic}.`);
    expect(page).toContain(`writes at most ${text.toLocaleString('en')} characters`);
    expect(page).toContain(`${limits.DEFAULT_MAX_BODY_BYTES / 2 ** 20} MB`);
    expect(page).toContain(`| version | ${limits.WIRE_VERSION} |`);
    expect(page).toContain(`${limits.ENVELOPE_BYTES} bytes of envelope`);
  });
});
