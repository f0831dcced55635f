/** `tilepipe send`: pictures to a pipeline that is up, as a camera would send them. */

import type { Command } from 'commander';
import { Connections } from '../../services/core/bus/connections.ts';
import { EXIT } from '../../services/core/runtime/errors.ts';
import type { Result } from '../../services/core/schema/generated/result.ts';
import { Client } from '../client.ts';
import { PICTURE_BYTES, readPicture } from '../input.ts';
import { whole } from '../numbers.ts';
import { print, printJson } from '../output.ts';
import { resultLine } from '../result-line.ts';
import { type BrokerFlags, brokerAddress, brokerOptions } from '../service-flags.ts';

interface Flags extends BrokerFlags {
  readonly pipeline: string;
  readonly source: string;
  readonly timeout: number;
  readonly json?: boolean;
}

const LONGEST_WAIT_MS = 86_400_000;
/** Longer than a pipeline's frames have by default: its own word of what was missing says more than ours of the wait. */
const WAIT_MS = 40_000;

export function register(program: Command): void {
  brokerOptions(program.command('send'))
    .description('Send pictures to a running pipeline and print their results')
    .argument('<image...>', 'JPEG, PNG or WebP files')
    .requiredOption('--pipeline <name>', 'pipeline to send to')
    .option('--source <name>', 'beginning of the source name', 'send')
    .option('--timeout <ms>', 'time to wait for each result', whole(1, LONGEST_WAIT_MS), WAIT_MS)
    .option('--json', 'print one result.schema.json document per line')
    .addHelpText(
      'after',
      '\nExample:\n  npx tilepipe send --broker mqtt://hub.local --pipeline garden photo.jpg',
    )
    .action(async (images: string[], flags: Flags) => {
      const results = await send(images, flags);
      process.exitCode = results.every(({ ok }) => ok) ? EXIT.ok : EXIT.checkFailed;
    });
}

async function send(images: readonly string[], flags: Flags): Promise<Result[]> {
  const pictures = await Promise.all(images.map(readPicture));
  const channels = new Connections({
    ...brokerAddress(flags),
    service: 'send',
    maxMessageBytes: flags.maxMessageBytes ?? PICTURE_BYTES,
  });
  await channels.start();
  const client = new Client(channels, flags.pipeline, `${flags.source}-${process.pid}`);
  const results: Result[] = [];
  try {
    await client.start();
    for (const picture of pictures) {
      const { result } = await client.send(picture, flags.timeout);
      results.push(result);
      if (flags.json) printJson(result);
      else print(resultLine(result));
    }
  } finally {
    await client.stop();
    await channels.stop();
  }
  return results;
}
