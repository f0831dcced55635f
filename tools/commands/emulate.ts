/** `tilepipe emulate`: a cluster of slow devices on this machine, and a command on its hub. */

import type { Command } from 'commander';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import type { DeviceSpec, EmulationOptions } from '../emulate/cluster.ts';
import { Session } from '../emulate/session.ts';
import { bitRate, memorySize, millicores, perDevice, periodMs } from '../emulate/units.ts';
import { interruption } from '../interrupt.ts';
import { MOST_WORKERS, whole } from '../numbers.ts';

interface Flags {
  readonly devices: number;
  readonly cpu?: string;
  readonly link?: string;
  readonly medium: string;
  readonly memory?: string;
  readonly period: number;
  readonly hubCpu?: number;
  readonly hubLink?: number;
  readonly workers: boolean;
  readonly profile: boolean;
  readonly listen?: boolean;
}

export function register(program: Command): void {
  program
    .command('emulate')
    .description(
      'Emulate slow devices and links on this Linux machine (root), and run a command on their hub',
    )
    .argument('<command...>', 'what to run on the hub, with TILEPIPE_BROKER set, after --')
    .option('--devices <n>', 'devices beside the hub', whole(1, MOST_WORKERS), 4)
    .option('--cpu <share,...>', 'processor of each device: 250m or 0.25, one for all or one each')
    .option(
      '--link <rate,...>',
      'link of each device, in each direction: 500kbit, 5mbit, 200mbit; Wi-Fi: the air',
    )
    .option('--medium <kind>', 'wired (a cable each) or wifi (one shared half-duplex medium)', 'wired')
    .option('--memory <size,...>', 'memory of each device: 256MB, 256MiB')
    .option('--period <time>', 'period of the quotas', periodMs, 20)
    .option('--hub-cpu <share>', "processor of the hub (default: the first device's)", millicores)
    .option(
      '--hub-link <rate>',
      "cable of the hub (default: like the first device's; Wi-Fi: it is on the air)",
      bitRate,
    )
    .option('--profile', 'workers measure themselves as they are limited, for plans: a minute or two', false)
    .option('--no-workers', 'start no worker: the command brings its own')
    .option('--listen', 'give every worker a broker of its own, so that strips need not go through the hub')
    .addHelpText(
      'after',
      '\nExample:\n  npx tilepipe emulate --devices 4 --cpu 250m --link 200mbit -- npx tilepipe up --config hub.yaml',
    )
    .action(async (command: string[], flags: Flags) => {
      process.exitCode = await emulate(command, flags);
    });
}

async function emulate(command: readonly string[], flags: Flags): Promise<number> {
  const say = (line: string): boolean => process.stderr.write(`${line}\n`);
  const { workers, profile, listen = false } = flags;
  if (profile && !workers)
    throw new TilepipeError('usage', '--profile is for workers started here: leave out --no-workers');
  const session = new Session({ ...emulation(flags), workers, profile, listen, command, say });
  const interrupted = interruption();
  try {
    return await interrupted.race(
      (async () => {
        await session.start();
        const code = await session.run();
        say(session.summary());
        return code;
      })(),
    );
  } finally {
    await session.stop();
    interrupted.end();
  }
}

function emulation({ devices: count, ...flags }: Flags): EmulationOptions {
  const { medium } = flags;
  if (medium !== 'wired' && medium !== 'wifi')
    throw new TilepipeError('usage', `"${medium}" is no medium: write wired or wifi`);
  const list = <T>(text: string | undefined, parse: (text: string) => T): (T | undefined)[] =>
    text === undefined ? [] : perDevice(text, count, parse);
  const cpu = list(flags.cpu, millicores);
  const memory = list(flags.memory, memorySize);
  const link = list(flags.link, bitRate);
  if (medium === 'wifi' && flags.link?.includes(','))
    throw new TilepipeError('usage', 'Wi-Fi is one medium: --link takes one rate');
  const devices = Array.from(
    { length: count },
    (_, index): DeviceSpec => ({
      name: `device-${index + 1}`,
      ...present('millicores', cpu[index]),
      ...present('memoryBytes', memory[index]),
      ...(medium === 'wifi' ? {} : present('link', link[index])),
    }),
  );
  return {
    devices,
    hub: {
      ...present('millicores', flags.hubCpu ?? cpu[0]),
      ...present('link', flags.hubLink ?? (medium === 'wifi' ? undefined : link[0])),
    },
    medium,
    periodMs: flags.period,
    ...(medium === 'wifi' ? present('air', link[0]) : {}),
  };
}

function present<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: T };
}
