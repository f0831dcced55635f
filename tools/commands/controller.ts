/** `tilepipe controller`: the model store and the plans of a configuration, beside services that run elsewhere. */

import type { Command } from 'commander';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import { runService } from '../../services/core/runtime/run-service.ts';
import { readConfig } from '../config.ts';
import { Deployments } from '../deployments.ts';
import { brokerAddress, healthFlags, type ServiceCommandFlags, serviceOptions } from '../service-flags.ts';
import { controllerService, defaultId } from '../services.ts';

export function register(program: Command): void {
  serviceOptions(program.command('controller'))
    .description('Serve sub-models and announce the plans of a YAML file')
    .option(
      '--config <file>',
      'configuration (config.schema.json); of it only pipelines and store are used',
      'tilepipe.yaml',
    )
    .addHelpText(
      'after',
      '\nExample:\n  npx tilepipe controller --broker mqtt://hub.local --config tilepipe.yaml',
    )
    .action(async (flags: ServiceCommandFlags & { config: string }) => {
      const config = readConfig(flags.config);
      const blobs = new BlobCache({ folder: cacheFolder('blobs') });
      const { service, part } = controllerService(
        {
          id: flags.id ?? defaultId('controller'),
          place: { address: brokerAddress(flags) },
          ...healthFlags(flags),
        },
        { blobs, store: config.store },
      );
      // Whatever runs is another machine's, or reached as if it were.
      const deployments = new Deployments({
        config,
        file: flags.config,
        part,
        blobs,
        log: service.log,
        workers: 0,
        local: new Set(),
      });
      const runnable = {
        start: async (): Promise<void> => {
          await service.start();
          await deployments.start();
        },
        stop: async (reason?: string): Promise<void> => {
          await deployments.stop();
          await service.stop(reason);
        },
      };
      await runService(runnable, service.log);
    });
}
