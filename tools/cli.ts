/** `tilepipe`: the table of commands, and how every one of them ends. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, CommanderError } from 'commander';
import { packageRoot } from '../services/core/runtime/entry.ts';
import { asTilepipeError, EXIT, TilepipeError } from '../services/core/runtime/errors.ts';
import type { ErrorReport } from '../services/core/schema/generated/error-report.ts';
import { printJson } from './output.ts';
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
  process.stdout.on('error', readerGone);
  try {
    const program = await assemble(argv[2]);
    await program.parseAsync([...argv]);
  } catch (error) {
    const code = report(error, json);
    // What was under way when the signal came is not waited for: everything it started has been stopped.
    if (error instanceof TilepipeError && error.code === 'interrupted') process.exit(code);
    process.exitCode = code;
  }
}

/** `tilepipe watch | head -1`: nobody reads any more. Services this process started end when it does. */
function readerGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.ok);
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

/** Says what went wrong and what to do; returns the exit code. */
function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    // For people it is on standard error by now.
    if (json) printError(new TilepipeError('usage', error.message.replace(/^error: /, '')));
    return EXIT.usage;
  }
  const known = asTilepipeError(error);
  if (json) printError(known);
  process.stderr.write(`tilepipe: ${known.message} [${known.code}]\n  ${known.fix}\n`);
  if (known.code === 'internal' && known.cause instanceof Error)
    process.stderr.write(`${known.cause.stack}\n`);
  return known.exit;
}

/** error-report.schema.json */
function printError({ code, message, fix }: TilepipeError): void {
  const document: ErrorReport = { error: { code, message, fix } };
  printJson(document);
}
