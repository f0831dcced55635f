/** Worker processes started by this one: each a service of its own on the same broker. */

import type { ChildProcess } from 'node:child_process';
import type { BrokerAddress } from '../services/core/bus/connections.ts';
import { brokerArguments, endChild, hasEnded, startChild } from './child-service.ts';

export interface WorkerSpec {
  readonly id: string;
  readonly broker: BrokerAddress;
  readonly threads?: number;
  /** Whether it measures this machine, and says so before it takes tasks; not by default. */
  readonly profile?: boolean;
  /** Pins: the only block, and tile, it runs. */
  readonly block?: number;
  readonly tile?: number;
}

/** Starts a worker; it logs what is wrong only, unless the environment says otherwise. */
export function startWorker({ id, broker, threads, profile, block, tile }: WorkerSpec): ChildProcess {
  const { argv: reaching, env } = brokerArguments(broker);
  const argv = ['worker', '--id', id, ...reaching];
  if (threads !== undefined) argv.push('--threads', String(threads));
  argv.push(profile ? '--profile' : '--no-profile');
  if (block !== undefined) argv.push('--block', String(block));
  if (tile !== undefined) argv.push('--tile', String(tile));
  return startChild(argv, { ...env, TILEPIPE_LOG: env.TILEPIPE_LOG ?? 'warn' });
}

export class WorkerProcess {
  readonly id: string;
  readonly #spec: WorkerSpec;
  #child: ChildProcess | undefined;

  constructor(spec: WorkerSpec) {
    this.id = spec.id;
    this.#spec = spec;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && !hasEnded(this.#child);
  }

  /** How it ended: its exit code or the signal; undefined while it runs, and where it was never started. */
  get ending(): string | undefined {
    const { exitCode, signalCode } = this.#child ?? {};
    if (signalCode) return `was ended by ${signalCode}`;
    return typeof exitCode === 'number' ? `ended with exit code ${exitCode}` : undefined;
  }

  /** Hears once when the process ends, by itself or not; the function returned undoes it. */
  onEnd(listener: () => void): () => void {
    const child = this.#child;
    child?.once('exit', listener);
    return () => child?.off('exit', listener);
  }

  start(): void {
    this.#child = startWorker(this.#spec);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Asks it to drain, and ends it where it does not. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined) await endChild(child);
  }
}
