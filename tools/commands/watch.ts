/** `tilepipe watch`: results as they come. */

import type { Command } from 'commander';
import { Connections } from '../../services/core/bus/connections.ts';
import { whole } from '../numbers.ts';
import { print, printJson } from '../output.ts';
import { readResult, resultLine } from '../result-line.ts';
import { type BrokerFlags, brokerAddress, brokerOptions } from '../service-flags.ts';

interface Flags extends BrokerFlags {
  readonly pipeline: string;
  readonly count?: number;
  readonly json?: boolean;
}

export function register(program: Command): void {
  brokerOptions(program.command('watch'))
    .description('Print the results of a pipeline, one line per frame')
    .option('--pipeline <name>', 'only this pipeline', '+')
    .option('--count <n>', 'end after so many results', whole(1))
    .option('--json', 'print one result.schema.json document per line')
    .addHelpText('after', '\nExample:\n  npx tilepipe watch --broker mqtt://hub.local --pipeline garden')
    .action((flags: Flags) => watch(flags));
}

async function watch(flags: Flags): Promise<void> {
  const channels = new Connections({ ...brokerAddress(flags), service: 'watch' });
  // First of all: a name that fits no topic is refused before anything is open.
  const filter = channels.topics.filter('result', { pipeline: flags.pipeline, source: '+' });
  let left = flags.count ?? Number.POSITIVE_INFINITY;
  await channels.start();
  try {
    await new Promise<void>((resolve, reject) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
      const take = ({ payload }: { payload: Buffer }): void => {
        const result = readResult(payload);
        if (result === undefined || left <= 0) return;
        if (flags.json) printJson(result);
        else print(resultLine(result));
        if (--left <= 0) resolve();
      };
      channels.control.subscribe(filter, take, { qos: 1 }).catch(reject);
    });
  } finally {
    await channels.stop();
  }
}
