/** Devices and a hub on one Linux machine: each with a share of the processor, memory and links of its own. */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { entryPath } from '../../services/core/runtime/entry.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import { leanEnvironment } from '../../services/worker/lean-memory.ts';
import { findControllers } from './controllers.ts';
import { type CpuStat, DeviceGroup } from './device-group.ts';
import { EmulatedNetwork, type MediumKind } from './network.ts';
import { folderOf, makeFolder, newTag, removeFolder } from './owner.ts';
import { missing, removeTag, sweep } from './requirements.ts';
import { resetResidentPeak, residentPeak } from './resident.ts';

/** Limits of one device; what is absent is unlimited. */
export interface Limits {
  readonly millicores?: number;
  /** Bits per second, in each direction. */
  readonly link?: number;
  readonly memoryBytes?: number;
}

export interface DeviceSpec extends Limits {
  readonly name: string;
}

export interface EmulationOptions {
  readonly devices: readonly DeviceSpec[];
  /** The machine of broker, splitter, merger and camera. On Wi-Fi: with a link of its own it is on a cable. */
  readonly hub?: Limits;
  readonly medium?: MediumKind;
  /** Wi-Fi: bits per second of the air. What goes from one device to another through the access point uses it twice. */
  readonly air?: number;
  /** Of the quotas. Long ones let short work run unthrottled. */
  readonly periodMs?: number;
  /** Bytes that pass a shaped link at once; absent: what passes in 5 ms. Less flatters nobody, and costs the machine time. */
  readonly burstBytes?: number;
  /** Whether devices share the optimised forms of models; false: each makes and maps its own, which its memory counts. */
  readonly sharedForms?: boolean;
  /**
   * Whether each device fetches files of its own from the model store; false: all map this machine's, and the kernel
   * charges a page of weights to the device that read it first.
   */
  readonly ownBlobs?: boolean;
}

export type RunOptions = Pick<SpawnOptions, 'stdio' | 'env' | 'serialization' | 'detached'>;

export const HUB = 'hub';

/** The worker on the hub: its own name is the planner's for the hub's processor. */
export const HUB_WORKER = 'on-hub';
const PERIOD_MS = 20;
export const BROKER_PORT = 1883;
/** Longer than a service may drain. */
const DRAIN_MS = 15_000;
const DRAIN_LOOK_MS = 20;
/** At rest: so many looks in a row with less than this share of a core used by all devices together. */
const QUIET_LOOKS = 3;
const QUIET_LOOK_MS = 500;
const QUIET_SHARE = 0.15;
const QUIET_LIMIT_MS = 120_000;

/** Enters the groups, then the namespace, and becomes the command: same process, same channel to its parent. */
const ENTER = `
doors=$1; namespace=$2; shift 2
for door in $doors; do echo $$ > "$door" || exit 125; done
exec nsenter --net="$namespace" -- "$@"`;

export class EmulatedCluster {
  readonly #options: EmulationOptions;
  readonly #tag = newTag();
  readonly #network: EmulatedNetwork;
  readonly #groups = new Map<string, DeviceGroup>();
  readonly #limits = new Map<string, Limits>();
  /** What the limits wait for: seeding is not slowed down. */
  #limited = false;
  #air: number | undefined;
  readonly #onExit = (): void => this.#remove();

  constructor(options: EmulationOptions) {
    this.#options = options;
    this.#network = new EmulatedNetwork(this.#tag, {
      medium: options.medium ?? 'wired',
      burstBytes: options.burstBytes,
    });
    this.#air = options.air;
  }

  get devices(): string[] {
    return [...this.#groups.keys()].filter((name) => name !== HUB);
  }

  /** Where a broker on the hub is reached, by itself and by the devices. */
  get broker(): string {
    return `mqtt://${this.#network.addressOf(HUB)}:${BROKER_PORT}`;
  }

  /** Where a device is reached by the others; nothing outside reaches it. */
  addressOf(device: string): string {
    return this.#network.addressOf(device);
  }

  /** Makes hub and devices, unlimited until `limit`; rejects with `emulation-unavailable`. Leftovers of dead owners go first. */
  async start(): Promise<void> {
    const reason = missing();
    if (reason !== undefined) throw new TilepipeError('emulation-unavailable', `no devices here: ${reason}`);
    sweep();
    process.once('exit', this.#onExit);
    try {
      this.#network.start();
      this.addDevice({ name: HUB, ...this.#options.hub });
      for (const device of this.#options.devices) this.addDevice(device);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  addDevice({ name, ...limits }: DeviceSpec): void {
    if (this.#groups.has(name)) throw new TilepipeError('usage', `there are two devices named ${name}`);
    const controllers = findControllers();
    if (controllers === undefined) throw new TilepipeError('emulation-unavailable', 'no controller "cpu"');
    const { periodMs = PERIOD_MS } = this.#options;
    const group = new DeviceGroup({ controllers, path: join(this.#tag, name), periodMs });
    this.#groups.set(name, group);
    this.#limits.set(name, limits);
    group.create();
    this.#network.attach(name);
    this.#seed(name);
    if (this.#limited) this.#limit(name);
  }

  /** From here on quotas, memory limits and links are what was asked for. */
  limit(): void {
    this.#limited = true;
    for (const name of this.#groups.keys()) this.#limit(name);
    this.setAir(this.#air);
  }

  /** Takes all limits away, to start processes and to seed them. */
  unlimit(): void {
    this.#limited = false;
    for (const [name, group] of this.#groups) {
      group.setCpu(undefined);
      if (this.#limits.get(name)?.memoryBytes !== undefined) group.setMemory(undefined);
      this.#network.setLink(name, undefined);
    }
    if (this.#options.medium === 'wifi') this.#network.setAir(undefined);
  }

  setCpu(device: string, millicores: number | undefined): void {
    this.#change(device, millicores === undefined ? {} : { millicores }, 'millicores');
    if (this.#limited) this.#group(device).setCpu(millicores);
  }

  setMemory(device: string, memoryBytes: number | undefined): void {
    this.#change(device, memoryBytes === undefined ? {} : { memoryBytes }, 'memoryBytes');
    if (this.#limited) this.#group(device).setMemory(memoryBytes);
  }

  /** Bits per second of a device's own cable, in each direction. */
  setLink(device: string, link: number | undefined): void {
    this.#change(device, link === undefined ? {} : { link }, 'link');
    if (this.#limited) this.#network.setLink(device, link);
  }

  /** Wi-Fi: bits per second of the air. */
  setAir(air: number | undefined): void {
    this.#air = air;
    if (this.#options.medium !== 'wifi' || !this.#limited) return;
    // To the access point, and from it: with the hub on a cable, only one of the two is in the air.
    const hops = this.#limits.get(HUB)?.link === undefined ? 2 : 1;
    this.#network.setAir(air === undefined ? undefined : air / hops);
  }

  /** Starts a command on a device: in its namespace, and within its limits. */
  run(device: string, argv: readonly string[], options: RunOptions = {}): ChildProcess {
    const doors = this.#group(device).doors.join(' ');
    const namespace = `/run/netns/${this.#network.namespaceOf(device)}`;
    return spawn('/bin/sh', ['-c', ENTER, 'sh', doors, namespace, ...argv], {
      // Ctrl-C reaches every process of a group: here only the owner, which stops the others.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...options,
    });
  }

  /** Starts `tilepipe` on a device, with the device's own cache. It ends when this process does. */
  runTilepipe(
    device: string,
    argv: readonly string[],
    environment: NodeJS.ProcessEnv = process.env,
  ): ChildProcess {
    const env = { ...environment, TILEPIPE_LOG: environment.TILEPIPE_LOG ?? 'warn' };
    return this.run(device, [process.execPath, entryPath('tools/main'), ...argv], {
      env: device === HUB ? env : { ...env, TILEPIPE_CACHE: this.cacheOf(device) },
    });
  }

  /**
   * A worker that has the device's name, or `HUB_WORKER`; it measures its device where `flags` say so, and with `--lean`
   * among them its process is started for that.
   */
  startWorker(device: string, flags: readonly string[] = []): ChildProcess {
    const own = flags.includes('--profile') ? [] : ['--no-profile'];
    const id = device === HUB ? HUB_WORKER : device;
    const argv = ['worker', '--id', id, '--broker', this.broker, ...own, ...flags];
    return this.runTilepipe(
      device,
      argv,
      flags.includes('--lean') ? leanEnvironment(process.env) : process.env,
    );
  }

  cpuStat(device: string): CpuStat {
    return this.#group(device).cpuStat();
  }

  /** Resolves when no device does anything any more: everything is loaded and planned. Rejects after `limitMs`. */
  async whenQuiet(limitMs = QUIET_LIMIT_MS): Promise<void> {
    const used = (): number =>
      [...this.#groups.values()].reduce((sum, group) => sum + group.cpuStat().usageMs, 0);
    const until = performance.now() + limitMs;
    for (let quiet = 0; quiet < QUIET_LOOKS; ) {
      if (performance.now() > until)
        throw new TilepipeError('emulation-unavailable', 'the devices do not come to rest');
      const before = used();
      await delay(QUIET_LOOK_MS);
      quiet = used() - before < QUIET_SHARE * QUIET_LOOK_MS ? quiet + 1 : 0;
    }
  }

  /** Processes of a device that were killed because its memory was not enough, so far. */
  outOfMemory(device: string): number {
    return this.#group(device).outOfMemory();
  }

  pids(device: string): number[] {
    return this.#group(device).pids;
  }

  /** Bytes: `group`, what the kernel charged the device with, page cache included; `resident`, of its processes together. */
  peakMemory(device: string): { readonly group: number; readonly resident: number } {
    const group = this.#group(device);
    return { group: group.peakMemory(), resident: residentPeak(group.pids) };
  }

  resetPeak(device: string): void {
    const group = this.#group(device);
    group.resetPeak();
    for (const pid of group.pids) resetResidentPeak(pid);
  }

  /** The shapers at both ends of a device's link, in the kernel's words. */
  shapersOf(device: string): string[] {
    return this.#network.shapersOf(device);
  }

  /** Asks everything on the devices to end, ends what does not, and removes all that was made. */
  async stop(): Promise<void> {
    process.off('exit', this.#onExit);
    try {
      if (this.#limited) this.unlimit();
    } finally {
      // The broker last: a worker that drains says good-bye to it.
      await this.#drain(this.devices);
      await this.#drain([HUB]);
      this.#remove();
    }
  }

  /** Asks what runs on these devices to end, and waits for it. */
  async #drain(devices: readonly string[]): Promise<void> {
    const groups = devices.flatMap((device) => this.#groups.get(device) ?? []);
    for (const group of groups) group.signal('SIGTERM');
    const until = performance.now() + DRAIN_MS;
    while (groups.some(({ pids }) => pids.length > 0) && performance.now() < until)
      await delay(DRAIN_LOOK_MS);
  }

  #limit(name: string): void {
    const { millicores, memoryBytes, link } = this.#limits.get(name) ?? {};
    const group = this.#group(name);
    group.setCpu(millicores);
    if (memoryBytes !== undefined) group.setMemory(memoryBytes);
    this.#network.setLink(name, link);
  }

  #change(name: string, change: Limits, key: keyof Limits): void {
    const { [key]: _, ...others } = this.#limits.get(name) ?? {};
    this.#limits.set(name, { ...others, ...change });
  }

  #group(name: string): DeviceGroup {
    const group = this.#groups.get(name);
    if (group === undefined) throw new TilepipeError('usage', `there is no device ${name}`);
    return group;
  }

  /** Folder of a device's own cache; it is removed with the device. */
  cacheOf(name: string): string {
    return join(folderOf(this.#tag), name);
  }

  /** A cache of the device's own; the parts of it that are this machine's have nothing left to be downloaded or made. */
  #seed(name: string): void {
    if (name === HUB) return;
    const { sharedForms = false, ownBlobs = false } = this.#options;
    makeFolder(this.#tag);
    mkdirSync(this.cacheOf(name), { recursive: true });
    const shared = [...(ownBlobs ? [] : ['blobs']), ...(sharedForms ? ['optimised'] : [])];
    for (const folder of shared) symlinkSync(cacheFolder(folder), join(this.cacheOf(name), folder));
  }

  #remove(): void {
    for (const group of this.#groups.values()) group.remove();
    this.#groups.clear();
    removeTag(this.#tag);
    this.#network.stop();
    removeFolder(this.#tag);
  }
}
