/** A service as a child process: it ends when it is asked to, and when its parent is gone. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type BrokerAddress, withoutUserInfo } from '../services/core/bus/connections.ts';
import { entryPath } from '../services/core/runtime/entry.ts';

/** Longer than a service may drain. */
const KILL_AFTER_MS = 15_000;

/** Starts `tilepipe` with these arguments. */
export function startChild(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return spawn(process.execPath, [entryPath('tools/main'), ...argv], {
    // Ctrl-C reaches every process of a group: here only the parent, which stops the others when they have drained.
    detached: true,
    windowsHide: true,
    // Nothing is said on the channel; that it closes tells the child that its parent is gone.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env,
  });
}

/**
 * How a service process is told where its broker is. Credentials go into its environment, where no process list
 * shows them; those this process has there are its as they are.
 */
export function brokerArguments(address: BrokerAddress): { argv: string[]; env: NodeJS.ProcessEnv } {
  const { url, root, username, password, protocolVersion, maxMessageBytes } = withoutUserInfo(address);
  const argv = ['--broker', url];
  if (root !== undefined) argv.push('--root', root);
  if (protocolVersion === 5) argv.push('--mqtt5');
  if (maxMessageBytes !== undefined) argv.push('--max-message-bytes', String(maxMessageBytes));
  return {
    argv,
    env: {
      ...process.env,
      ...(username === undefined ? {} : { TILEPIPE_BROKER_USERNAME: username }),
      ...(password === undefined ? {} : { TILEPIPE_BROKER_PASSWORD: password }),
    },
  };
}

export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Asks it to drain, and ends it where it does not. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (hasEnded(child) || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  await ended;
  clearTimeout(timer);
}

/** In a child: its parent's end is taken as SIGTERM would be. */
export function endWithParent(): void {
  process.once('disconnect', () => process.emit('SIGTERM', 'SIGTERM'));
}
