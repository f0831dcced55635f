/** Names of what an emulation makes on the machine. They carry the owner's process, so that leftovers of a dead one are known. */

import { readFileSync } from 'node:fs';

const TAG = /^tilepipe-(\d+)-(\d+)-\d+/;
let made = 0;

/** Begins the name of every namespace, control group and folder of one emulation of this process. */
export function newTag(): string {
  return `tilepipe-${process.pid}-${startTime(process.pid)}-${made++}`;
}

/** Whether a name is one of ours whose owner has gone. */
export function orphaned(name: string): boolean {
  const [, pid, started] = TAG.exec(name) ?? [];
  return pid !== undefined && startTime(Number(pid)) !== started;
}

/** When a process started, in clock ticks since boot: numbers of processes are used again. Undefined where there is none. */
function startTime(pid: number): string | undefined {
  try {
    // The name in parentheses may have spaces and parentheses of its own.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[19];
  } catch {
    return undefined;
  }
}
