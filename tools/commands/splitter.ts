/** `tilepipe splitter`: takes camera frames and cuts them into tiles. */

import type { Command } from 'commander';
import { roomyHeap } from '../../services/core/bus/roomy-heap.ts';
import { runService } from '../../services/core/runtime/run-service.ts';
import { brokerAddress, healthFlags, type ServiceCommandFlags, serviceOptions } from '../service-flags.ts';
import { defaultId, splitterService } from '../services.ts';

export function register(program: Command): void {
  serviceOptions(program.command('splitter'))
    .description('Take camera frames, decode them, and send the tiles of the first block')
    .option('--pipeline <name...>', 'only these pipelines')
    .addHelpText('after', '\nExample:\n  npx tilepipe splitter --broker mqtt://hub.local')
    .action(async (flags: ServiceCommandFlags & { pipeline?: string[] }) => {
      roomyHeap();
      const service = splitterService({
        id: flags.id ?? defaultId('splitter'),
        place: { address: brokerAddress(flags) },
        ...healthFlags(flags),
        ...(flags.pipeline === undefined ? {} : { pipelines: flags.pipeline }),
      });
      await runService(service, service.log);
    });
}
