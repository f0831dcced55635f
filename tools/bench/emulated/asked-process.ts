/** A process on an emulated device that is asked over its channel: one answer to each message. */

import type { ChildProcess } from 'node:child_process';
import { entryPath } from '../../../services/core/runtime/entry.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import type { EmulatedCluster } from '../../emulate/cluster.ts';

export class AskedProcess {
  readonly #name: string;
  readonly #child: ChildProcess;

  constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
  }

  /** Starts `tools/bench/<name>.ts` on a device. */
  static on(cluster: EmulatedCluster, device: string, name: string, env = process.env): AskedProcess {
    const child = cluster.run(device, [process.execPath, entryPath(`tools/bench/${name}`)], {
      serialization: 'advanced',
      env,
    });
    return new AskedProcess(name, child);
  }

  /** One question at a time. Rejects where the process ends instead of answering: its log says why. */
  ask<Answer>(question: unknown): Promise<Answer> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const gone = (): void =>
        reject(new TilepipeError('task-failed', `${this.#name} ended without an answer: the log says why`));
      child.once('exit', gone);
      child.once('message', (answer) => {
        child.off('exit', gone);
        resolve(answer as Answer);
      });
      child.send(question as object);
    });
  }

  end(): void {
    this.#child.kill('SIGTERM');
  }
}
