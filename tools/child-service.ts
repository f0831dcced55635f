/** A service as a child process: it ends when it is asked to, and when its parent is gone. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
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
