/** The drawn scene: a few simple objects moving over a noisy background, and the truth about where they are. */

import { Actor, type Canvas, type Outline } from './actor.ts';
import { drawBackground } from './background.ts';
import { Random } from './random.ts';
import type { Label } from './shapes.ts';

export const SCENE_WIDTH = 640;
export const SCENE_HEIGHT = 480;

export interface SceneOptions {
  /** Any integer; the same seed and size draw the same pictures everywhere. */
  readonly seed: number;
  /** Pixels, 640 x 480 unless given. */
  readonly width?: number;
  readonly height?: number;
}

export interface SceneObject {
  readonly label: Label;
  /** `[left, top, right, bottom]` in pixels, half open: the whole outline inside the picture, also where something hides it. */
  readonly box: Outline['box'];
  /** Share of the object inside the picture that nothing hides, 0..1. */
  readonly visible: number;
}

/** Objects per pixel, give or take: a dozen in a picture of the default size. */
const DENSITY = 7 / (480 * 352);

/** Objects are told apart by one byte per pixel. */
const MOST_OBJECTS = 255;

const NOISE_LENGTH = 1 << 14;

export class Scene {
  readonly width: number;
  readonly height: number;
  readonly #background: Float32Array;
  readonly #actors: Actor[];
  readonly #canvas: Canvas;
  readonly #light: readonly [number, number];
  readonly #grainSeed: number;
  readonly #noise: Int8Array;
  readonly #drift: number;
  #time = 0;
  #pixels: Uint8Array | undefined;
  #objects: SceneObject[] = [];

  constructor({ seed, width = SCENE_WIDTH, height = SCENE_HEIGHT }: SceneOptions) {
    const random = new Random(seed);
    this.width = width;
    this.height = height;
    this.#background = drawBackground(random, width, height);
    const count = Math.min(
      MOST_OBJECTS,
      Math.max(1, Math.round(width * height * DENSITY * random.between(0.6, 1.5))),
    );
    this.#actors = Array.from({ length: count }, () => new Actor(random, width, height));
    this.#canvas = {
      width,
      height,
      pixels: new Float32Array(3 * width * height),
      owners: new Uint8Array(width * height),
      shown: new Int32Array(count + 1),
    };
    const angle = random.between(0, 2 * Math.PI);
    this.#light = [Math.cos(angle), Math.sin(angle)];
    const grain = random.between(1, 11);
    this.#noise = Int8Array.from({ length: NOISE_LENGTH }, () => Math.round(grain * random.normal()));
    this.#drift = random.between(0.01, 0.05);
    this.#grainSeed = random.bits();
  }

  /** Moves everything on by one frame. */
  step(): void {
    for (const actor of this.#actors) actor.step(this.width, this.height);
    this.#time++;
    this.#pixels = undefined;
  }

  /** The picture: RGB interleaved, rows from the top, 3 * width * height bytes. */
  draw(): Uint8Array {
    this.#pixels ??= this.#render();
    return this.#pixels;
  }

  /** What is in the picture, the hindmost first. */
  objects(): readonly SceneObject[] {
    this.draw();
    return this.#objects;
  }

  #render(): Uint8Array {
    const { pixels, owners, shown } = this.#canvas;
    pixels.set(this.#background);
    owners.fill(0);
    const outlines = this.#actors.map((actor, index) => actor.paint(this.#canvas, index + 1, this.#light));
    this.#objects = [];
    for (const [index, { box, area }] of outlines.entries()) {
      if (area === 0) continue;
      const { label } = this.#actors[index] as Actor;
      this.#objects.push({ label, box, visible: (shown[index + 1] as number) / area });
    }
    return this.#expose(pixels);
  }

  /** Slowly changing exposure, then the sensor's grain. */
  #expose(canvas: Float32Array): Uint8Array {
    const gain = 1 + 0.15 * Math.sin(this.#time * this.#drift);
    const pixels = new Uint8Array(canvas.length);
    const row = 3 * this.width;
    const random = new Random(this.#grainSeed + this.#time);
    for (let begin = 0; begin < canvas.length; begin += row) {
      const shift = random.bits();
      for (let at = begin; at < begin + row; at++) {
        const grain = this.#noise[(shift + at) & (NOISE_LENGTH - 1)] as number;
        pixels[at] = Math.max(0, Math.min(255, gain * (canvas[at] as number) + grain));
      }
    }
    return pixels;
  }
}
