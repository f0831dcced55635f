/** `tilepipe broker`: the embedded MQTT broker on its own. */

import type { Command } from 'commander';
import { DEFAULT_LIMITS } from '../../services/broker/embedded-broker.ts';
import { runBroker } from '../../services/broker/main.ts';
import { roomyHeap } from '../../services/core/bus/roomy-heap.ts';
import { portNumber, whole } from '../numbers.ts';
import { healthFlags, LEAST_MESSAGE_BYTES, type LifeFlags, lifeOptions } from '../service-flags.ts';

interface Flags extends LifeFlags {
  readonly host: string;
  readonly port: number;
  readonly root?: string;
  readonly maxMessageBytes?: number;
}

export function register(program: Command): void {
  const command = program
    .command('broker')
    .description('Run the embedded MQTT 3.1.1 broker')
    .option(
      '--host <address>',
      'address to listen on; anything but loopback is open to your network',
      '127.0.0.1',
    )
    .option('--port <port>', 'port to listen on (0: any free one)', portNumber, 1883)
    .option('--root <name>', 'first level of every topic (default: tilepipe)')
    .option(
      '--max-message-bytes <n>',
      `largest MQTT payload taken, pictures included (default: ${DEFAULT_LIMITS.maxMessageBytes})`,
      whole(LEAST_MESSAGE_BYTES),
    );
  lifeOptions(command)
    .addHelpText('after', '\nExample:\n  npx tilepipe broker --host 0.0.0.0')
    .action(async (flags: Flags) => {
      const { id, host, port, root, maxMessageBytes } = flags;
      roomyHeap();
      await runBroker({ id, host, port, root, limits: { maxMessageBytes }, ...healthFlags(flags) });
    });
}
