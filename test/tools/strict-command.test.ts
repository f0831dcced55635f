/** A mistyped flag is named before the one that is missing for it. */

import type { CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { StrictCommand } from '../../tools/strict-command.ts';

/** What a command line of two commands, one below the other, is refused with. */
function refused(...argv: readonly string[]): string | undefined {
  const program = new StrictCommand('tilepipe').exitOverride().configureOutput({ writeErr: () => undefined });
  const below = program.command('model').command('add').argument('[files...]');
  below.copyInheritedSettings(program);
  below
    .requiredOption('--name <name>')
    .option('-s, --seed <n>')
    .action(() => undefined);
  try {
    program.parse(['model', 'add', ...argv], { from: 'user' });
    return undefined;
  } catch (error) {
    return (error as CommanderError).message;
  }
}

test.each([
  [['--nmae', 'x'], "error: unknown option '--nmae'\n(Did you mean --name?)"],
  [['file', '--nam=x'], "error: unknown option '--nam'\n(Did you mean --name?)"],
  [['--frobnicate'], "error: unknown option '--frobnicate'"],
  [['-x'], "error: unknown option '-x'"],
  [['--name', 'x', '--sed', '1'], "error: unknown option '--sed'\n(Did you mean --seed?)"],
  [['--seed', '1'], "error: required option '--name <name>' not specified"],
  [['--', '--nmae'], "error: required option '--name <name>' not specified"],
  [['--name', 'x', '--', '--nmae'], undefined],
])('%j', (argv, message) => {
  expect(refused(...argv)).toBe(message);
});
