/** The options every command that is a service, or talks to one, shares. */

import type { Command } from 'commander';
import type { BrokerAddress } from '../services/core/bus/connections.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { portNumber } from './numbers.ts';

export interface BrokerFlags {
  readonly broker?: string;
  readonly root?: string;
  readonly username?: string;
  readonly mqtt5?: boolean;
}

export interface ServiceCommandFlags extends BrokerFlags {
  readonly id?: string;
  readonly healthPort?: number;
  readonly healthHost?: string;
}

export function brokerOptions(command: Command): Command {
  return command
    .option('--broker <url>', 'MQTT broker (default: TILEPIPE_BROKER, else mqtt://127.0.0.1:1883)')
    .option('--root <name>', 'first level of every topic (default: tilepipe)')
    .option(
      '--username <name>',
      'user name; the password comes from TILEPIPE_BROKER_PASSWORD or TILEPIPE_BROKER_PASSWORD_FILE',
    )
    .option('--mqtt5', 'speak MQTT 5 (the embedded broker speaks 3.1.1 only)');
}

export function serviceOptions(command: Command): Command {
  return brokerOptions(command)
    .option('--id <name>', 'id of this service; unique for its role')
    .option('--health-port <port>', 'serve /healthz, /readyz and /status over HTTP', portNumber)
    .option('--health-host <host>', 'address the health endpoint listens on (default: 127.0.0.1)');
}

const DEFAULT_BROKER = 'mqtt://127.0.0.1:1883';

export function brokerAddress(flags: BrokerFlags): BrokerAddress {
  const url = flags.broker ?? process.env.TILEPIPE_BROKER ?? DEFAULT_BROKER;
  if (!/^(mqtts?|wss?):\/\//.test(url) || !URL.canParse(url))
    throw new TilepipeError('usage', `broker "${url}" is not an mqtt:// or mqtts:// address`);
  return {
    url,
    ...(flags.root === undefined ? {} : { root: flags.root }),
    ...(flags.username === undefined ? {} : { username: flags.username }),
    ...(flags.mqtt5 ? { protocolVersion: 5 as const } : {}),
  };
}

/** `health` as services take it. */
export function healthFlags(flags: ServiceCommandFlags): { health?: { port?: number; host?: string } } {
  if (flags.healthPort === undefined) return {};
  return {
    health: { port: flags.healthPort, ...(flags.healthHost === undefined ? {} : { host: flags.healthHost }) },
  };
}
