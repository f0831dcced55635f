/** Resident memory of processes, as Linux counts it: what is in their private and shared pages now, and was at most. */

import { readFileSync, writeFileSync } from 'node:fs';

/** Bytes at most since the process started, or `resetResidentPeak`, summed over processes. */
export function residentPeak(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusBytes(pid, 'VmHWM'), 0);
}

/** Begins a new peak of a process. */
export function resetResidentPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // It has ended meanwhile.
  }
}

function statusBytes(pid: number, field: string): number {
  try {
    const line = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
