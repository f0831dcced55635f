/** The benches' command line: it says what there is, and names what it does not know. */

import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { EXIT } from '../../../services/core/runtime/errors.ts';
import { assemble } from '../../../tools/bench/main.ts';

let said = '';

function program(): Command {
  const keep = (text: string): void => {
    said += text;
  };
  said = '';
  const made = assemble();
  for (const command of [made, ...made.commands]) command.configureOutput({ writeOut: keep, writeErr: keep });
  return made;
}

const run = (...args: readonly string[]): Promise<unknown> => program().parseAsync(args, { from: 'user' });

test('every bench says its flags and cells', async () => {
  const names = assemble().commands.map((command) => command.name());
  for (const name of names) await expect(run(name, '--help')).rejects.toMatchObject({ exitCode: EXIT.ok });
  await expect(run('wire', '--help')).rejects.toThrow();
  expect(said).toContain('--minutes <n>');
  expect(said).toMatch(/wire: 500kbit, .*200mbit\n/);
});

test.each([
  ['nosuch', 'unknown command'],
  ['wire --nosuch', 'unknown option'],
  ['messages --cells exact', 'unknown option'],
  ['search --repetitions none', '"none" is not a whole number'],
  ['wire --cells nosuch', '"nosuch" is no cell; there are table,'],
  ['wire --plan nosuch', '"nosuch" is no kind of plan'],
  ['wire --models nosuch', 'nosuch'],
])('refuses %s', async (line, text) => {
  await expect(run(...line.split(' '))).rejects.toThrow(text);
});
