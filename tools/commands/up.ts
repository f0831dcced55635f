/** `tilepipe up`: long-running, from a YAML file. */

import type { Command } from 'commander';
import { runService } from '../../services/core/runtime/run-service.ts';
import { readConfig } from '../config.ts';
import { Up } from '../up.ts';

export function register(program: Command): void {
  program
    .command('up')
    .description('Run broker, splitter, merger, controller and workers as a YAML file says, until stopped')
    .option('--config <file>', 'configuration (config.schema.json)', 'tilepipe.yaml')
    .addHelpText('after', '\nExample:\n  npx tilepipe up --config tilepipe.yaml')
    .action(async ({ config: file }: { config: string }) => {
      const up = new Up(readConfig(file), file);
      await runService(up, up.log);
    });
}
