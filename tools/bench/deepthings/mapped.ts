/**
 * Files a process has mapped several times. Sessions of one worker map the same weights, each for itself: they are in
 * memory once, and resident memory counts them as often as they are mapped.
 */

import { readFileSync } from 'node:fs';

const MAPPING = /^[0-9a-f]+-[0-9a-f]+ \S+ (\S+) (\S+) (\d+)\s+(\S.*)?$/;
const RESIDENT = /^Rss:\s+(\d+) kB$/;

/** Bytes that the text of a `/proc/<pid>/smaps` counts more than once: of each part of a file all but the largest. */
export function countedAgain(smaps: string): number {
  const parts = new Map<string, number[]>();
  let sizes: number[] | undefined;
  for (const line of smaps.split('\n')) {
    const [, offset, device, inode, path] = MAPPING.exec(line) ?? [];
    if (offset !== undefined) {
      sizes = undefined;
      // Libraries are mapped once, in parts that differ in their rights.
      if (inode === '0' || path === undefined || isCode(path)) continue;
      const key = `${device} ${inode} ${offset}`;
      sizes = parts.get(key) ?? [];
      parts.set(key, sizes);
      continue;
    }
    const [, kilobytes] = RESIDENT.exec(line) ?? [];
    if (kilobytes !== undefined) sizes?.push(1024 * Number(kilobytes));
  }
  let again = 0;
  for (const own of parts.values()) again += own.reduce((sum, bytes) => sum + bytes, 0) - Math.max(0, ...own);
  return again;
}

function isCode(path: string): boolean {
  return path.endsWith('.node') || path.includes('.so');
}

/** The same of processes that run now; of those that have ended, nothing. */
export function mappedAgain(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return sum + countedAgain(readFileSync(`/proc/${pid}/smaps`, 'utf8'));
    } catch {
      return sum;
    }
  }, 0);
}
