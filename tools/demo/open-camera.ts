/** The camera of a demonstration: the drawn scene, or pictures from disk over and over. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bus } from '../../services/core/bus/bus.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { unreadable } from '../input.ts';
import { SceneCamera } from './camera.ts';

export interface Camera {
  start(): Promise<void> | void;
  stop(): Promise<void> | void;
}

export interface CameraOptions {
  readonly bus: Bus;
  readonly topic: string;
  readonly fps: number;
  /** A picture or a folder of them; absent: the drawn scene. */
  readonly path?: string;
}

const PICTURE = /\.(jpe?g|png|webp)$/i;
const SEED = 7;

export async function openCamera({ bus, topic, fps, path }: CameraOptions): Promise<Camera> {
  if (!(fps > 0 && fps <= 1000))
    throw new TilepipeError('usage', `--fps ${fps} is not a rate between 0 and 1000`);
  if (path === undefined)
    return new SceneCamera({
      bus,
      topic,
      fps,
      seed: SEED,
      onError: (error) => process.stderr.write(`a frame was not sent: ${String(error)}\n`),
    });
  return new FileCamera({ bus, topic, fps, files: await pictures(path) });
}

async function pictures(path: string): Promise<string[]> {
  const entry = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (!entry.isDirectory()) return [path];
  const files = (await readdir(path)).filter((name) => PICTURE.test(name)).sort();
  if (files.length === 0)
    throw new TilepipeError('image-invalid', `${path} holds no .jpg, .png or .webp file`);
  return files.map((name) => join(path, name));
}

class FileCamera implements Camera {
  readonly #options: {
    readonly bus: Bus;
    readonly topic: string;
    readonly fps: number;
    readonly files: readonly string[];
  };
  #timer: NodeJS.Timeout | undefined;
  #next = 0;

  constructor(options: { bus: Bus; topic: string; fps: number; files: readonly string[] }) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#send(), 1000 / this.#options.fps);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #send(): Promise<void> {
    const { bus, topic, files } = this.#options;
    const file = files[this.#next++ % files.length] as string;
    try {
      await bus.publish(topic, await readFile(file), { qos: 1 });
    } catch (error) {
      process.stderr.write(`${file} was not sent: ${(error as Error).message}\n`);
    }
  }
}
