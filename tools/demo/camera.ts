/** The drawn scene as a camera: JPEG frames at a steady rate on an MQTT topic. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Bus } from '../../services/core/bus/bus.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { encodeJpeg } from './jpeg.ts';
import { SCENE_HEIGHT, SCENE_WIDTH, Scene, type SceneObject } from './scene.ts';

/** Frames whose truth is kept: longer than any frame deadline at any sensible rate. */
const REMEMBERED = 512;

export interface CameraOptions {
  /** Connected by its owner. */
  readonly bus: Bus;
  /** A topic of the `frame` row. */
  readonly topic: string;
  readonly seed: number;
  /** Frames per second. A frame that is not published in time delays the next; none is made up for. */
  readonly fps: number;
  readonly width?: number;
  readonly height?: number;
  /** Ends by itself when the broker has taken this many; endless unless given. */
  readonly frames?: number;
  /** Called where drawing or publishing fails. The camera goes on: a broker that is away comes back. */
  readonly onError?: (error: unknown) => void;
}

export class SceneCamera {
  readonly #options: CameraOptions;
  readonly #truth = new Map<number, readonly SceneObject[]>();
  #stopping: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #published = 0;

  constructor(options: CameraOptions) {
    this.#options = options;
  }

  /** Begins with frame 0 of the scene. Throws `config-invalid` for a rate or size that is none. */
  start(): void {
    const { seed, fps, width = SCENE_WIDTH, height = SCENE_HEIGHT } = this.#options;
    if (!(fps > 0 && fps <= 1000)) {
      throw new TilepipeError(
        'config-invalid',
        `the camera's rate is ${fps} frames per second: use 0.1 to 1000`,
      );
    }
    if (this.#stopping !== undefined) return;
    const scene = new Scene({ seed, width, height });
    this.#stopping = new AbortController();
    this.#published = 0;
    this.#truth.clear();
    this.#running = this.#run(scene, this.#stopping.signal);
  }

  /** Resolves when the last frame is on its way. */
  async stop(): Promise<void> {
    this.#stopping?.abort();
    await this.#running;
    this.#stopping = undefined;
  }

  /** Resolves after the last of `frames`, or after `stop`. */
  finished(): Promise<void> {
    return this.#running;
  }

  /** Frames the broker took. */
  get published(): number {
    return this.#published;
  }

  /** What is in a frame, counted from 0 in the order of arrival at the broker; undefined for one to come or long gone. */
  truth(frame: number): readonly SceneObject[] | undefined {
    return this.#truth.get(frame);
  }

  async #run(scene: Scene, signal: AbortSignal): Promise<void> {
    const { bus, topic, fps, frames = Number.POSITIVE_INFINITY, onError } = this.#options;
    let due = performance.now();
    while (this.#published < frames && !signal.aborted) {
      try {
        const picture = await encodeJpeg(scene.draw(), scene.width, scene.height);
        this.#truth.set(this.#published, scene.objects());
        this.#truth.delete(this.#published - REMEMBERED);
        await bus.publish(topic, picture, { qos: 1 });
        this.#published++;
      } catch (error) {
        onError?.(error);
      }
      scene.step();
      due = Math.max(due + 1000 / fps, performance.now());
      await delay(due - performance.now(), undefined, { signal }).catch(() => undefined);
    }
  }
}
