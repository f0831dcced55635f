/** `tilepipe merger`: gathers tiles, re-partitions them, answers. */

import type { Command } from 'commander';
import { roomyHeap } from '../../services/core/bus/roomy-heap.ts';
import { runService } from '../../services/core/runtime/run-service.ts';
import { brokerAddress, healthFlags, type ServiceCommandFlags, serviceOptions } from '../service-flags.ts';
import { defaultId, mergerService } from '../services.ts';

export function register(program: Command): void {
  serviceOptions(program.command('merger'))
    .description("Gather a block's tiles, send the next block's, publish the results")
    .addHelpText('after', '\nExample:\n  npx tilepipe merger --broker mqtt://hub.local')
    .action(async (flags: ServiceCommandFlags) => {
      roomyHeap();
      const service = mergerService({
        id: flags.id ?? defaultId('merger'),
        place: { address: brokerAddress(flags) },
        ...healthFlags(flags),
      });
      await runService(service, service.log);
    });
}
