/** The options every command that is a service, or talks to one, shares. */

import type { Command } from 'commander';
import type { BrokerAddress } from '../services/core/bus/connections.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../services/core/wire/limits.ts';
import { portNumber, whole } from './numbers.ts';

export interface BrokerFlags {
  readonly broker?: string;
  readonly root?: string;
  readonly username?: string;
  readonly mqtt5?: boolean;
  readonly maxMessageBytes?: number;
}

/** Of every service, the broker itself included. */
export interface LifeFlags {
  readonly id?: string;
  readonly healthPort?: number;
  readonly healthHost?: string;
}

export interface ServiceCommandFlags extends BrokerFlags, LifeFlags {}

/** The least that config.schema.json lets `broker.maxMessageBytes` be. */
export const LEAST_MESSAGE_BYTES = 16_384;

export function brokerOptions(command: Command): Command {
  return command
    .option('--broker <url>', 'MQTT broker (default: TILEPIPE_BROKER, else mqtt://127.0.0.1:1883)')
    .option('--root <name>', 'first level of every topic (default: tilepipe)')
    .option(
      '--username <name>',
      'user name; the password comes from TILEPIPE_BROKER_PASSWORD or TILEPIPE_BROKER_PASSWORD_FILE',
    )
    .option('--mqtt5', 'speak MQTT 5 (the embedded broker speaks 3.1.1 only)')
    .option(
      '--max-message-bytes <n>',
      `largest MQTT payload sent (default: ${DEFAULT_MAX_MESSAGE_BYTES})`,
      whole(LEAST_MESSAGE_BYTES),
    );
}

export function serviceOptions(command: Command): Command {
  return lifeOptions(brokerOptions(command));
}

export function lifeOptions(command: Command): Command {
  return command
    .option('--id <name>', 'id of this service; unique for its role')
    .option('--health-port <port>', 'serve /healthz, /readyz and /status over HTTP', portNumber)
    .option('--health-host <host>', 'address the health endpoint listens on (default: 127.0.0.1)');
}

const DEFAULT_BROKER = 'mqtt://127.0.0.1:1883';

export function brokerAddress(flags: BrokerFlags): BrokerAddress {
  const url = flags.broker ?? process.env.TILEPIPE_BROKER ?? DEFAULT_BROKER;
  if (!/^(mqtts?|wss?):\/\//.test(url) || !URL.canParse(url))
    throw new TilepipeError(
      'usage',
      `broker "${url.replace(/\/\/[^/]*@/, '//')}" is not an mqtt:// or mqtts:// address`,
    );
  return {
    url,
    ...(flags.root === undefined ? {} : { root: flags.root }),
    ...(flags.username === undefined ? {} : { username: flags.username }),
    ...(flags.mqtt5 ? { protocolVersion: 5 as const } : {}),
    ...(flags.maxMessageBytes === undefined ? {} : { maxMessageBytes: flags.maxMessageBytes }),
  };
}

/** `health` as services take it. */
export function healthFlags(flags: LifeFlags): { health?: { port?: number; host?: string } } {
  if (flags.healthPort === undefined) return {};
  return {
    health: { port: flags.healthPort, ...(flags.healthHost === undefined ? {} : { host: flags.healthHost }) },
  };
}
