/** The broker as a service of its own. */

import { withRefusals } from '../core/runtime/counters.ts';
import { createLog, type Log } from '../core/runtime/log.ts';
import { runService } from '../core/runtime/run-service.ts';
import { type Part, Service } from '../core/runtime/service.ts';
import { EmbeddedBroker, type EmbeddedBrokerOptions } from './embedded-broker.ts';
import { LocalChannels } from './local-bus.ts';

export interface RunBrokerOptions extends Omit<EmbeddedBrokerOptions, 'log'> {
  readonly id?: string | undefined;
  readonly root?: string | undefined;
  readonly health?: { readonly port?: number | undefined; readonly host?: string | undefined } | undefined;
}

/** Runs the broker until a signal ends the process. */
export function runBroker(options: RunBrokerOptions = {}): Promise<never> {
  const log = createLog(`broker-${options.id ?? 'broker'}`);
  const broker = new EmbeddedBroker({ ...options, log });
  const service = brokerService(broker, log, options);
  return runService(
    {
      start: async () => {
        await broker.start();
        log.info(`listening on port ${broker.port}`);
        await service.start();
      },
      stop: async (reason) => {
        await service.stop(reason);
        await broker.stop();
      },
    },
    log,
  );
}

/** What says the broker's status on itself; starts after it and stops before it. */
export function brokerService(
  broker: EmbeddedBroker,
  log: Log,
  { id = 'broker', root, health }: Pick<RunBrokerOptions, 'id' | 'root' | 'health'> = {},
): Service {
  const part: Part = {
    start: async () => undefined,
    drain: async () => undefined,
    stop: async () => undefined,
    ready: () => broker.running,
    details: () => {
      const { rejected, ...counts } = broker.counters();
      return { counters: withRefusals(counts, rejected) };
    },
  };
  return new Service({
    role: 'broker',
    id,
    root,
    part,
    log,
    health,
    connect: () => new LocalChannels({ broker, root, log }),
  });
}
