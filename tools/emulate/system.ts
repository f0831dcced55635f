/** Commands of the operating system, and short waits, without giving control away: clean-up also runs while the process exits. */

import { spawnSync } from 'node:child_process';
import { TilepipeError } from '../../services/core/runtime/errors.ts';

/** Standard output of a command; throws `emulation-unavailable` with its own words where it fails. */
export function system(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, [...args], { encoding: 'utf8' });
  if (error !== undefined || status !== 0) {
    const reason = error?.message ?? stderr.trim();
    throw new TilepipeError('emulation-unavailable', `${command} ${args.join(' ')}: ${reason}`);
  }
  return stdout;
}

/** Blocks the thread. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
