/** One run of `tilepipe emulate`: devices with workers, a broker on the hub, and a command beside it. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants, cpus } from 'node:os';
import { entryPath } from '../../services/core/runtime/entry.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { bytes, table } from '../output.ts';
import { EmulatedCluster, type EmulationOptions, HUB } from './cluster.ts';
import { freeCores } from './requirements.ts';

export interface SessionOptions extends EmulationOptions {
  /** A worker on every device. */
  readonly workers: boolean;
  /** They measure themselves, under their limits. */
  readonly profile: boolean;
  /** Whether each of them has a broker of its own. */
  readonly listen: boolean;
  readonly command: readonly string[];
  /** Hears what happens, line by line. */
  readonly say: (line: string) => void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #cluster: EmulatedCluster;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#cluster = new EmulatedCluster(options);
  }

  async start(): Promise<void> {
    const { say, workers, profile, listen, devices } = this.#options;
    const cluster = this.#cluster;
    await this.#warn();
    await cluster.start();
    const started = performance.now();
    const parts = [cluster.runTilepipe(HUB, ['broker', '--host', cluster.addressOf(HUB)])];
    if (profile) {
      cluster.limit();
      say('the workers measure themselves first');
    }
    const flags = [...(profile ? ['--profile'] : []), ...(listen ? ['--listen', '0'] : [])];
    if (workers) parts.push(...cluster.devices.map((device) => cluster.startWorker(device, flags)));
    const count = workers ? devices.length : 0;
    const waiting = cluster.run(HUB, [
      process.execPath,
      entryPath('tools/emulate/await-workers'),
      cluster.broker,
      String(count),
    ]);
    const [code] = await Promise.race([once(waiting, 'exit'), ...parts.map(endedEarly)]);
    if (code !== 0) throw new TilepipeError('broker-unreachable', `nobody answers at ${cluster.broker}`);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    say(`${devices.length} devices, ${count} workers: started and model stores seeded in ${seconds} s`);
    if (!profile) cluster.limit();
  }

  /** Runs the command on the hub; resolves with its exit code. */
  async run(): Promise<number> {
    const { command } = this.#options;
    const child = this.#cluster.run(HUB, command, {
      stdio: 'inherit',
      // It may read the terminal, which only a process of the terminal's own group can.
      detached: false,
      env: { ...process.env, TILEPIPE_BROKER: this.#cluster.broker },
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  }

  /** What the devices did, as a table. */
  summary(): string {
    const cluster = this.#cluster;
    const rows = [HUB, ...cluster.devices].map((device) => {
      const { usageMs, periods, throttled } = cluster.cpuStat(device);
      const share = periods === 0 ? '-' : `${Math.round((100 * throttled) / periods)} %`;
      return [device, `${(usageMs / 1000).toFixed(1)} s`, share, bytes(cluster.peakMemory(device).resident)];
    });
    return table(['device', 'processor time', 'periods throttled', 'peak resident'], rows);
  }

  async stop(): Promise<void> {
    await this.#cluster.stop();
  }

  async #warn(): Promise<void> {
    const { devices, hub, say } = this.#options;
    const limits = [...devices, hub ?? {}];
    const wanted = limits.reduce((sum, { millicores = 1000 }) => sum + millicores / 1000, 0);
    const free = await freeCores();
    if (wanted <= free) return;
    say(
      `warning: the quotas add up to ${wanted.toFixed(2)} cores, and of ${cpus().length} about ${free.toFixed(2)} are free: devices will be slower than they should`,
    );
  }
}

async function endedEarly(child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, 'exit');
  throw new TilepipeError(
    'emulation-unavailable',
    `a service ended before it was ready (${signal ?? `exit code ${code}`}): its log says why`,
  );
}
