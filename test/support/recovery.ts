/** A cluster with a stream of frames through it, and a listener beside it that counts results by frame. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type BrokerAddress, Connections } from '../../services/core/bus/connections.ts';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { brokerArguments } from '../../tools/child-service.ts';
import type { Outcome } from '../../tools/client.ts';
import { compare } from '../../tools/compare.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { residualNetwork } from './networks.ts';
import { type WholeModel, wholeModel } from './ort.ts';
import { randomValues } from './random-values.ts';
import { floatTensor } from './tensors.ts';

const SHAPE = [1, 3, 24, 32];
const LIMIT_MS = 50_000;

export class Recovery {
  readonly it: TestCluster;
  readonly listener: Connections;
  readonly #uncut: WholeModel;
  /** Results by the frame they are of. */
  readonly #published = new Map<string, number>();
  /** Called with every result after it has been counted. */
  #counted: (frame: string) => void = () => {};
  #number = 0;
  /** Ended with the test, however it ends. */
  readonly #mergers: ChildProcess[] = [];

  private constructor(it: TestCluster, uncut: WholeModel) {
    this.it = it;
    this.listener = new Connections({ ...it.cluster.address, service: 'listener' });
    this.#uncut = uncut;
  }

  /** Two workers on a small network in 2x2 tiles; an embedded broker unless given one. */
  static async start(broker?: BrokerAddress): Promise<Recovery> {
    const it = await startCluster({ workers: 2, threads: 1, ...(broker === undefined ? {} : { broker }) });
    const recovery = new Recovery(it, await wholeModel(residualNetwork()));
    await it.deploy(await it.open(residualNetwork(), 'recovery'), gridCover(2, 2));
    await recovery.#listen();
    return recovery;
  }

  async stop(): Promise<void> {
    for (const child of this.#mergers) child.kill('SIGKILL');
    await this.listener.stop();
    await this.it.stop();
  }

  async #listen(): Promise<void> {
    await this.listener.start();
    await this.listener.control.subscribe('tilepipe/result/#', ({ payload }) => {
      const { frame } = JSON.parse(payload.toString()) as { frame: string };
      this.#published.set(frame, (this.#published.get(frame) ?? 0) + 1);
      this.#counted(frame);
    });
  }

  /** One more frame, and no frame has had a second result by the time that it has its own. */
  async everyResultOnce(): Promise<void> {
    const { result } = await this.it.client.send([this.#input()], LIMIT_MS);
    await this.#heard(result.frame);
    expect([...this.#published.values()].filter((times) => times > 1)).toEqual([]);
  }

  /** Sends frames all at once; `at` is called with the count of those that have come back. All are right, and once. */
  async stream(count: number, at: (back: number) => void = () => {}): Promise<Outcome[]> {
    let back = 0;
    const inputs = Array.from({ length: count }, () => this.#input());
    const outcomes = await Promise.all(
      inputs.map(async (input) => {
        const outcome = await this.it.client.send([input], LIMIT_MS);
        at(++back);
        return outcome;
      }),
    );
    for (const [i, { result, tensors }] of outcomes.entries()) {
      expect(result.error).toBeUndefined();
      const right = await this.#uncut.run([inputs[i] as TensorData]);
      expect(compare(tensors, right).maxRelDiff).toBeLessThanOrEqual(1e-4);
    }
    await this.everyResultOnce();
    return outcomes;
  }

  /** Sends frames, one after the other, until sender and listener both have had a result: either may have been away. */
  async untilAnswered(limitMs: number): Promise<void> {
    const before = this.#published.size;
    for (;;) {
      const outcome = await this.it.client.send([this.#input()], limitMs).catch(() => undefined);
      if (outcome?.result.ok && this.#published.size > before) return;
    }
  }

  mergerProcess(id: string): ChildProcess {
    const { argv, env } = brokerArguments(this.it.cluster.address);
    const flags = ['merger', '--id', id, ...argv];
    const child = spawn(process.execPath, [join(packageRoot(), 'tools', 'tilepipe.mjs'), ...flags], {
      stdio: 'inherit',
      env: { ...env, TILEPIPE_LOG: 'silent' },
    });
    this.#mergers.push(child);
    return child;
  }

  /** Resolves when a merger says that it knows a plan. */
  mergerOnline(id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.listener.control
        .subscribe(`tilepipe/status/merger/${id}`, ({ payload }) => {
          const status = JSON.parse(payload.toString()) as { state: string; plans?: object };
          if (status.state === 'online' && Object.keys(status.plans ?? {}).length > 0) resolve();
        })
        .catch(reject);
    });
  }

  #input(): TensorData {
    return floatTensor('image', SHAPE, randomValues(`recovery ${this.#number++}`, SHAPE));
  }

  /** Resolves when the frame's result has come to the listener: whatever was published before it has come by then. */
  async #heard(frame: string): Promise<void> {
    while (!this.#published.has(frame))
      await new Promise<void>((resolve) => {
        this.#counted = (of) => {
          if (of === frame) resolve();
        };
      });
  }
}
