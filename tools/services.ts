/** Composes roles into services: the only place that knows them all. */

import type { EmbeddedBroker } from '../services/broker/embedded-broker.ts';
import { LocalChannels } from '../services/broker/local-bus.ts';
import { type ControllerOptions, ControllerPart } from '../services/controller/part.ts';
import type { Will } from '../services/core/bus/bus.ts';
import { type BrokerAddress, type Channels, Connections } from '../services/core/bus/connections.ts';
import type { Role } from '../services/core/bus/topics.ts';
import { createLog, type Log } from '../services/core/runtime/log.ts';
import { type Part, Service } from '../services/core/runtime/service.ts';
import { MergerPart } from '../services/merger/part.ts';
import { SplitterPart } from '../services/splitter/part.ts';
import { deviceName } from './device-name.ts';

/** Where a service finds its broker: an address, or one in this process. */
export type Place =
  | { readonly address: BrokerAddress }
  | {
      readonly broker: EmbeddedBroker;
      readonly root?: string;
      /** Largest payload published; that of remote services by default. */
      readonly maxMessageBytes?: number;
    };

export interface ServiceFlags {
  readonly id: string;
  readonly place: Place;
  readonly health?: { readonly port?: number; readonly host?: string };
}

/** An id that is this service's again after a restart, and nobody else's in the house. */
export function defaultId(role: Role): string {
  return `${role}-${deviceName(40)}-${process.pid}`;
}

function rootOf(place: Place): string | undefined {
  return 'address' in place ? place.address.root : place.root;
}

function channels(place: Place, service: string, will: Will, log: Log): Channels {
  if ('address' in place) return new Connections({ ...place.address, service, will, log });
  return new LocalChannels({ ...place, log });
}

/** Wraps a role's part into a service of its own. */
export function service(role: Role, part: Part, { id, place, health }: ServiceFlags): Service {
  const log = createLog(id);
  return new Service({
    role,
    id,
    part,
    log,
    root: rootOf(place),
    inbox: role === 'splitter' || role === 'merger' || role === 'worker',
    health,
    connect: (will) => channels(place, id, will, log),
  });
}

export function splitterService(flags: ServiceFlags & { readonly pipelines?: readonly string[] }): Service {
  return service(
    'splitter',
    new SplitterPart(flags.pipelines === undefined ? {} : { pipelines: flags.pipelines }),
    flags,
  );
}

export function mergerService(flags: ServiceFlags): Service {
  return service('merger', new MergerPart(), flags);
}

export function controllerService(
  flags: ServiceFlags,
  options: ControllerOptions,
): { service: Service; part: ControllerPart } {
  const part = new ControllerPart(options);
  return { service: service('controller', part, flags), part };
}
