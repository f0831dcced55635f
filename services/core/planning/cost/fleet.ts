/** The machines and links a plan is made for: what profiles and `devices.yaml` say, in the units the planner counts in. */

import type { Work } from './work.ts';
import type { WorkerOverhead } from './worker-memory.ts';

/** Coefficients of one kind of operator: milliseconds = run x runs + mac x macs + byte x bytes + weight x weights. */
export interface KindCost {
  readonly run: number;
  readonly mac: number;
  readonly byte: number;
  readonly weight: number;
}

/** Something that carries one transfer at a time: a cable, or the air of a whole Wi-Fi network. */
export interface Medium {
  readonly name: string;
  /** Bytes per millisecond in one direction (`full`), or in both together (`half`). */
  readonly bytesPerMs: number;
  readonly duplex: 'half' | 'full';
  /** Milliseconds a message takes beside its bytes. */
  readonly latencyMs: number;
}

/** What a device computes and holds. */
export interface Device {
  readonly id: string;
  /** By kind of operator; `other` stands for kinds that were not measured. */
  readonly kinds: ReadonlyMap<string, KindCost>;
  /** Milliseconds of a task beside its operators: session, thread hand-over, dispatch. */
  readonly taskMs: number;
  /** Milliseconds of its processor per byte received or sent: sockets, decoding, copies. */
  readonly byteMs: number;
  /**
   * Milliseconds of its processor for each task that come after its answer: garbage, telemetry, threads that go to sleep
   * and wake. A frame alone does not wait for them; a stream that keeps the device busy does. Absent: none.
   */
  readonly afterMs?: number;
  /** Bytes a worker may use in all; Infinity where there is no limit. */
  readonly memoryBytes: number;
  /** Bytes of a worker that holds nothing. */
  readonly idleBytes: number;
  /** Tasks it takes at once: one computed, the others received meanwhile; absent: 2. */
  readonly slots?: number;
  /** What a worker takes beside what it holds; absent: as measured. */
  readonly overhead?: WorkerOverhead;
  /** Name of the medium between it and the hub; absent: it runs on the hub itself, and nothing travels to it. */
  readonly medium?: string;
  /**
   * Of a device on the hub: the processor it computes on, which devices of the same name share; absent: the one that
   * serves the hub's messages.
   */
  readonly processor?: string;
  /** Whether its worker has a broker of its own, so that what its neighbours send it need not go through the hub. */
  readonly endpoint?: boolean;
  /** Codecs of messages that its worker knows; absent: all. */
  readonly codecs?: readonly string[];
  /** Its figures were not measured on it. */
  readonly estimated: boolean;
}

/**
 * Milliseconds of a hub's processor per message and per byte it passes on, on a whole core, the kernel's work for its
 * sockets included. Of devices on shaped links, after a hundred frames: 7 ms a frame for 2 messages and 0.15 MB, 18 for
 * 10 and 0.5 MB, 41 for 34 and 1.4 MB, 50 for 34 and 1.9 MB, 50 for 46 and 1.4 MB. The first frames take half as much
 * again, for the compiler is at work.
 */
export const HUB_MESSAGE_MS = 0.75;
export const HUB_BYTE_MS = 1e-5;

/** What the machine of these figures took per byte received or sent as a device: others are slower by as much. */
export const DEVICE_BYTE_MS = 2e-6;
/**
 * Milliseconds of such a device's processor for a strip beside its bytes, with who sends it and with who takes it. Under a
 * quota and on shaped links, after a hundred frames: some 20 ms a frame for 14 messages, half of it the kernel's.
 */
const STRIP_MS = 0.75;

export function stripMs({ byteMs }: Pick<Device, 'byteMs'>): number {
  return (STRIP_MS * byteMs) / DEVICE_BYTE_MS;
}

/** The machine with broker, splitter and merger. */
export interface Hub {
  /** Medium through which it reaches devices that are on another one; absent: no limit of its own. */
  readonly medium?: string;
  /** Milliseconds of its processor per message, in or out. */
  readonly messageMs: number;
  /** Milliseconds of its processor per byte, in or out. */
  readonly byteMs: number;
}

export interface Fleet {
  readonly hub: Hub;
  readonly media: ReadonlyMap<string, Medium>;
  readonly devices: readonly Device[];
}

/** Kind whose coefficients stand for those of kinds without any. */
export const OTHER = 'other';

/** Milliseconds a device computes a task alone; bytes moved are not among them. */
export function computeMs({ kinds, taskMs }: Device, work: Work): number {
  let total = taskMs;
  for (const { kind, runs, macs, bytes, weights } of work) {
    const cost = kinds.get(kind) ?? kinds.get(OTHER);
    if (cost === undefined) continue;
    total += cost.run * runs + cost.mac * macs + cost.byte * bytes + cost.weight * weights;
  }
  return total;
}
