/** `tilepipe`: the table of commands. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { packageRoot } from '../services/core/runtime/entry.ts';
import { toItsEnd } from './ending.ts';
import { StrictCommand } from './strict-command.ts';

/** One module per command, loaded when it is used: importing all of them would cost every command half a second. */
const COMMANDS: readonly (readonly [
  name: string,
  load: () => Promise<{ register(program: Command): void }>,
])[] = [
  ['demo', () => import('./commands/demo.ts')],
  ['run', () => import('./commands/run.ts')],
  ['verify', () => import('./commands/verify.ts')],
  ['inspect', () => import('./commands/inspect.ts')],
  ['plan', () => import('./commands/plan.ts')],
  ['profile', () => import('./commands/profile.ts')],
  ['up', () => import('./commands/up.ts')],
  ['model', () => import('./commands/model.ts')],
  ['zoo', () => import('./commands/zoo.ts')],
  ['broker', () => import('./commands/broker.ts')],
  ['controller', () => import('./commands/controller.ts')],
  ['splitter', () => import('./commands/splitter.ts')],
  ['worker', () => import('./commands/worker.ts')],
  ['merger', () => import('./commands/merger.ts')],
  ['send', () => import('./commands/send.ts')],
  ['watch', () => import('./commands/watch.ts')],
  ['conform', () => import('./commands/conform.ts')],
  ['simulate', () => import('./commands/simulate.ts')],
  ['emulate', () => import('./commands/emulate.ts')],
];

/** Commands that are services log what they do; the others print results, and log only what is wrong, for people. */
const SERVICES: ReadonlySet<string> = new Set(['up', 'broker', 'controller', 'splitter', 'worker', 'merger']);

export async function main(argv: readonly string[]): Promise<void> {
  if (!SERVICES.has(argv[2] ?? '')) {
    process.env.TILEPIPE_LOG ??= 'warn';
    process.env.TILEPIPE_LOG_FORMAT ??= 'text';
  }
  const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const json = own.includes('--json');
  await toItsEnd(async () => (await assemble(argv[2])).parseAsync([...argv]), json);
}

/** Loads the one command that is asked for, or all of them for the overview. */
async function assemble(wanted: string | undefined): Promise<Command> {
  const version = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version as string;
  const program = new StrictCommand('tilepipe')
    .description('One neural network, cut into fused blocks and tiles, run across small machines over MQTT')
    .version(version)
    .showHelpAfterError('(see --help)')
    .exitOverride();
  const chosen = COMMANDS.filter(([name]) => name === wanted);
  for (const [, load] of chosen.length > 0 ? chosen : COMMANDS) (await load()).register(program);
  for (const command of program.commands) inherit(command, program);
  return program;
}

function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
}
