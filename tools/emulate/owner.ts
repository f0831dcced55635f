/** Names of what an emulation makes on the machine. They carry the owner's process, so that leftovers of a dead one are known. */

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const WORD = 'tilepipe-emulation';
const NAME = new RegExp(`^${WORD}-(\\d+)-(\\d+)-(\\d+)-\\d+(\\.[A-Za-z0-9_-]+)?$`);
/** In every folder of an emulation; only folders that hold it are removed as leftovers. */
const MARKER = `.${WORD}`;
let made = 0;

/** Begins the name of every namespace, control group and folder of one emulation of this process. */
export function newTag(): string {
  return `${WORD}-${processNamespace()}-${process.pid}-${startTime(process.pid)}-${made++}`;
}

/** Whether a name is one of ours whose owner has gone. Of owners among the processes of other containers nothing is known. */
export function orphaned(name: string): boolean {
  const [, namespace, pid, started] = NAME.exec(name) ?? [];
  return pid !== undefined && namespace === processNamespace() && startTime(Number(pid)) !== started;
}

/** Where an emulation keeps files of its devices. */
export function folderOf(tag: string): string {
  return join(tmpdir(), tag);
}

export function makeFolder(tag: string): void {
  mkdirSync(folderOf(tag), { recursive: true });
  writeFileSync(join(folderOf(tag), MARKER), '');
}

export function removeFolder(tag: string): void {
  rmSync(folderOf(tag), { recursive: true, force: true });
}

/** Folders of dead owners go; whatever else has such a name stays. */
export function removeOrphanedFolders(): void {
  for (const name of readdirSync(tmpdir()).filter(orphaned))
    if (existsSync(join(folderOf(name), MARKER))) removeFolder(name);
}

/** Number of the namespace that process numbers here are of: a container's are its own. */
function processNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  } catch {
    return '0';
  }
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
