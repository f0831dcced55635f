import { Command } from 'commander';
import { expect, it } from 'vitest';
import * as broker from '../../tools/commands/broker.ts';
import * as controller from '../../tools/commands/controller.ts';
import * as merger from '../../tools/commands/merger.ts';
import * as splitter from '../../tools/commands/splitter.ts';
import * as worker from '../../tools/commands/worker.ts';

const COMMANDS = Object.entries({ broker, controller, merger, splitter, worker });

it.each(COMMANDS)('%s takes the options every service has', (role, { register }) => {
  const program = new Command();
  register(program);
  const flags = program.commands[0]?.options.map(({ long }) => long);
  expect(program.commands[0]?.name()).toBe(role);
  expect(flags).toEqual(
    expect.arrayContaining(['--id', '--root', '--health-port', '--health-host', '--max-message-bytes']),
  );
});
