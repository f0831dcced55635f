/** Resident memory of an idle combined hub and of an idle worker, each a process of its own. */

import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connections } from '../../services/core/bus/connections.ts';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { parseStatus } from '../../services/core/runtime/status.ts';
import { endChild, startChild } from '../child-service.ts';
import { freePort } from './free-port.ts';
import { type BenchReport, rounded } from './report.ts';

const SETTLE_MS = 5_000;

/** Resident bytes of a process, from Linux's /proc; 0 where there is none. */
export function residentBytes(pid: number): number {
  try {
    const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

export async function benchIdle(): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-idle-'));
  const port = await freePort();
  const model = join(packageRoot(), 'tools', 'demo', 'scenes.onnx');
  const config = join(folder, 'tilepipe.yaml');
  writeFileSync(
    config,
    `broker: {port: ${port}}\nworkers: {count: 0}\npipelines: [{name: idle, model: ${JSON.stringify(model)}}]\n`,
  );
  const broker = `mqtt://127.0.0.1:${port}`;
  const env = { ...process.env, TILEPIPE_LOG: 'warn' };
  const processes: ChildProcess[] = [];
  try {
    const hub = startChild(['up', '--config', config], env);
    processes.push(hub);
    const channels = new Connections({ url: broker, service: 'idle', connectTimeoutMs: 60_000 });
    await channels.start();
    const worker = startChild(['worker', '--broker', broker, '--id', 'idle-worker', '--no-profile'], env);
    processes.push(worker);
    await workerReady(channels);
    await channels.stop();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return {
      bench: 'idle',
      cells: [
        { service: 'combined hub', residentMB: rounded(residentBytes(hub.pid ?? 0) / 1e6) },
        { service: 'worker with the plan loaded', residentMB: rounded(residentBytes(worker.pid ?? 0) / 1e6) },
      ],
      targets: [],
    };
  } finally {
    // The last first: a worker whose broker has gone would complain.
    for (const child of processes.reverse()) await endChild(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Resolves when a worker says that it has a plan ready. */
async function workerReady({ control, topics }: Connections): Promise<void> {
  const filter = topics.filter('status', { role: 'worker', id: '+' });
  await new Promise<void>((resolve, reject) => {
    control
      .subscribe(filter, ({ payload }) => {
        const plans = Object.values(parseStatus(payload)?.plans ?? {});
        if (plans.some(({ state }) => state === 'ready')) resolve();
      })
      .catch(reject);
  });
}
