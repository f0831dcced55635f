/** `tilepipe worker`: runs tiles; any machine, any number, nothing but the broker's address. */

import type { Command } from 'commander';
import type { BrokerAddress } from '../../services/core/bus/connections.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import { runService } from '../../services/core/runtime/run-service.ts';
import type { Door } from '../../services/worker/door.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';
import { WorkerPart } from '../../services/worker/part.ts';
import { checkedName } from '../device-name.ts';
import { type ListenAddress, listenAddress } from '../listen-address.ts';
import { threadCount, whole, wholeNumber } from '../numbers.ts';
import { brokerAddress, healthFlags, type ServiceCommandFlags, serviceOptions } from '../service-flags.ts';
import { defaultId, service } from '../services.ts';

interface Flags extends ServiceCommandFlags {
  readonly threads: number;
  readonly slots: number;
  readonly block?: number;
  readonly tile?: number;
  readonly lean?: boolean;
  readonly listen?: ListenAddress;
  readonly profile?: boolean;
}

/** More would only wait here instead of going to a worker that is free. */
const MOST_SLOTS = 64;

export function register(program: Command): void {
  serviceOptions(program.command('worker'))
    .description(
      'Run tiles of whatever plans are announced; sub-models come from the model store by themselves',
    )
    .option('--threads <n>', 'threads of one run', threadCount, 1)
    .option('--slots <n>', 'tasks taken at once from each dispatcher', whole(1, MOST_SLOTS), 2)
    .option('--block <n>', 'run only this fused block: each block its own microservice', wholeNumber)
    .option('--tile <n>', 'run only this tile of the block', wholeNumber)
    .option(
      '--lean',
      'keep little memory beside the sub-models, at some cost of time; docs/profiles.md says how',
    )
    .option(
      '--listen <port>',
      'run a broker of its own there for strips from other workers, which then need not go through the hub; 0: any port; <address>:<port> where others cannot reach it by the address that faces the broker',
      listenAddress,
    )
    .option('--profile', 'measure this machine, once, before taking tasks (default, unless --block is given)')
    .option('--no-profile', 'take tasks at once; plans that look at what devices can do leave it out')
    .addHelpText('after', '\nExample:\n  npx tilepipe worker --broker mqtt://hub.local')
    .action(async (flags: Flags) => {
      if (flags.tile !== undefined && flags.block === undefined) {
        throw new TilepipeError('usage', '--tile says which tile of a block: give --block too');
      }
      const address = brokerAddress(flags);
      const direct = !/^(mqtts|wss):/.test(address.url);
      const { listen } = flags;
      if (listen !== undefined && !direct)
        throw new TilepipeError('usage', `--listen knows no TLS, and ${address.url} is reached with it`);
      // A pinned worker's tasks are its own whatever it can do.
      const { threads, profile = flags.block === undefined } = flags;
      const part = new WorkerPart({
        executor: new OrtExecutor({ threads, optimised: cacheFolder('optimised') }),
        blobs: new BlobCache({ folder: cacheFolder('blobs') }),
        slots: flags.slots,
        lean: flags.lean,
        direct,
        ...(listen === undefined ? {} : { door: await doorAt(listen, address) }),
        brokerHost: new URL(address.url).hostname,
        ...(profile ? { profile: { threads, folder: cacheFolder('profiles') } } : {}),
        ...(flags.block === undefined
          ? {}
          : { pins: [{ block: flags.block, ...(flags.tile === undefined ? {} : { tile: flags.tile }) }] }),
      });
      const worker = service('worker', part, {
        id: checkedName(flags.id ?? process.env.TILEPIPE_WORKER_ID ?? defaultId('worker'), 'usage'),
        place: { address },
        ...healthFlags(flags),
      });
      await runService(worker, worker.log);
    });
}

/** Loaded where it is asked for: a broker's code takes a small device's memory. */
async function doorAt(listen: ListenAddress, { maxMessageBytes }: BrokerAddress): Promise<Door> {
  const { WorkerDoor } = await import('../worker-door.ts');
  return new WorkerDoor({ ...listen, maxMessageBytes });
}
