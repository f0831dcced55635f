/** `tilepipe conform`: does another worker implementation keep to the protocol? */

import type { Command } from 'commander';
import { EXIT } from '../../services/core/runtime/errors.ts';
import { conform } from '../conform.ts';
import { print, printJson, table } from '../output.ts';

export function register(program: Command): void {
  program
    .command('conform')
    .description('Start a worker command and check it against docs/protocol.md, rule by rule')
    .argument(
      '<command...>',
      'command that starts the worker; it finds TILEPIPE_BROKER and TILEPIPE_WORKER_ID in its environment',
    )
    .option('--json', 'print conform-report.schema.json')
    .addHelpText('after', '\nExample:\n  npx tilepipe conform -- python3 worker.py')
    .action(async (command: string[], { json }: { json?: boolean }) => {
      const { rules, pass } = await conform(command, {});
      if (json) printJson({ command: command.join(' '), rules, pass });
      else {
        const rows = rules.map((rule) => [
          rule.id,
          rule.title,
          rule.pass === undefined ? 'not told' : rule.pass ? 'ok' : 'FAILED',
          rule.detail ?? '',
        ]);
        print(table(['rule', 'title', 'result', 'detail'], rows));
      }
      process.exitCode = pass ? EXIT.ok : EXIT.checkFailed;
    });
}
