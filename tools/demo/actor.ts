/** One moving object of a scene: where it is, and how it is painted. */

import { blend, type Colour, colour, smooth } from './background.ts';
import type { Random } from './random.ts';
import { distance, FORM, LABELS, type Label } from './shapes.ts';

/** Radii of objects, in pixels, before their slow breathing of up to 12 %. */
const RADIUS = { from: 13, to: 46 } as const;

/** Pixels of the picture's edge that an object's centre keeps away from. */
const MARGIN = 6;

/** Radii from the centre beyond which no pixel is touched: a shape's own 1.11, soft edges, the shadow's offset. */
const BODY_REACH = 1.2;
const SHADOW_REACH = 1.5;

/** A picture while it is painted, the hindmost object first. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** RGB interleaved, 0..255. */
  readonly pixels: Float32Array;
  /** The object each pixel shows, 0 for none. */
  readonly owners: Uint8Array;
  /** Pixels that each object still shows. */
  readonly shown: Int32Array;
}

/** The pixels of one object as if nothing hid it: `[left, top, right, bottom]`, half open, and their number. */
export interface Outline {
  readonly box: readonly [number, number, number, number];
  readonly area: number;
}

export class Actor {
  readonly label: Label;
  readonly #form: number;
  readonly #size: number;
  readonly #paint: Colour;
  readonly #second: Colour;
  readonly #stripes: number;
  readonly #outline: number;
  readonly #spin: number;
  readonly #pulse: number;
  #x: number;
  #y: number;
  #dx: number;
  #dy: number;
  #turn: number;
  #phase: number;

  constructor(random: Random, width: number, height: number) {
    this.label = LABELS[random.whole(0, LABELS.length - 1)] as Label;
    this.#form = random.between(FORM.from, FORM.to);
    // Evenly over the logarithm, or small objects would be rare.
    this.#size = RADIUS.from * (RADIUS.to / RADIUS.from) ** random.between(0, 1);
    const hue = random.between(0, 1);
    const saturation = random.between(0.35, 1);
    this.#paint = colour(hue, saturation, random.between(0.55, 1));
    this.#second = colour(hue + random.between(-0.2, 0.2), saturation, random.between(0.35, 1));
    this.#stripes = random.between(0, 1) < 0.3 ? random.between(4, 9) : 0;
    this.#outline = random.between(0.25, 0.75);
    this.#x = random.between(MARGIN, width - MARGIN);
    this.#y = random.between(MARGIN, height - MARGIN);
    const heading = random.between(0, 2 * Math.PI);
    const speed = random.between(0.8, 4);
    this.#dx = speed * Math.cos(heading);
    this.#dy = speed * Math.sin(heading);
    this.#turn = random.between(0, 2 * Math.PI);
    this.#spin = random.between(-0.06, 0.06);
    this.#phase = random.between(0, 2 * Math.PI);
    this.#pulse = random.between(0.01, 0.06);
  }

  /** Moves on by one frame; the edges of the picture throw it back. */
  step(width: number, height: number): void {
    this.#x += this.#dx;
    this.#y += this.#dy;
    if (this.#x < MARGIN || this.#x > width - MARGIN) {
      this.#dx = -this.#dx;
      this.#x += 2 * this.#dx;
    }
    if (this.#y < MARGIN || this.#y > height - MARGIN) {
      this.#dy = -this.#dy;
      this.#y += 2 * this.#dy;
    }
    this.#turn += this.#spin;
    this.#phase += this.#pulse;
  }

  /**
   * Paints shadow and body; a pixel belongs to the body that covers most of it.
   * @param mark this object's number in `owners` and `shown`, from 1
   * @param light direction towards the light, a unit vector in the picture
   */
  paint(canvas: Canvas, mark: number, light: readonly [number, number]): Outline {
    const { pixels, owners, shown, width, height } = canvas;
    const radius = this.#size * (1 + 0.12 * Math.sin(this.#phase));
    const cos = Math.cos(this.#turn);
    const sin = Math.sin(this.#turn);
    const shadowX = -0.22 * light[0];
    const shadowY = -0.22 * light[1];
    const reach = SHADOW_REACH * radius;
    const x1 = Math.min(width, Math.ceil(this.#x + reach));
    const y1 = Math.min(height, Math.ceil(this.#y + reach));
    let [left, top, right, bottom, area] = [width, height, 0, 0, 0];
    for (let py = Math.max(0, Math.floor(this.#y - reach)); py < y1; py++) {
      for (let px = Math.max(0, Math.floor(this.#x - reach)); px < x1; px++) {
        const u = (px - this.#x) / radius;
        const v = (py - this.#y) / radius;
        const away = u * u + v * v;
        if (away > SHADOW_REACH * SHADOW_REACH) continue;
        const at = py * width + px;
        const su = u - shadowX;
        const sv = v - shadowY;
        const shade = 0.5 - 3 * distance(this.label, cos * su + sin * sv, cos * sv - sin * su, this.#form);
        if (shade > 0) darken(pixels, 3 * at, 1 - 0.4 * smooth(Math.min(1, shade)));
        if (away > BODY_REACH * BODY_REACH) continue;
        const depth = -distance(this.label, cos * u + sin * v, cos * v - sin * u, this.#form);
        const coverage = 0.5 + depth * radius;
        if (coverage <= 0) continue;
        this.#paintBody(
          pixels,
          3 * at,
          u,
          v,
          cos * u + sin * v,
          depth * radius,
          light,
          Math.min(1, coverage),
        );
        if (coverage <= 0.5) continue;
        const hidden = owners[at] as number;
        shown[hidden] = (shown[hidden] as number) - 1;
        owners[at] = mark;
        area++;
        if (px < left) left = px;
        if (px >= right) right = px + 1;
        if (py < top) top = py;
        bottom = py + 1;
      }
    }
    shown[mark] = area;
    return { box: [left, top, right, bottom], area };
  }

  /** @param inset pixels from the outline, where a darker rim is painted */
  #paintBody(
    canvas: Float32Array,
    at: number,
    u: number,
    v: number,
    along: number,
    inset: number,
    light: readonly [number, number],
    coverage: number,
  ): void {
    const striped = this.#stripes > 0 && Math.sin(along * this.#stripes) > 0.2;
    const facing = u * light[0] + v * light[1];
    let gain = 0.92 + 0.22 * facing;
    let gloss = 0;
    if (this.label === 'ball') {
      const rise = Math.sqrt(Math.max(0, 1 - u * u - v * v));
      const towards = 0.62 * facing + 0.78 * rise;
      gain = 0.45 + 0.65 * Math.max(0, towards);
      gloss = 190 * Math.max(0, towards) ** 24;
    }
    if (inset < 1.5) gain *= this.#outline;
    const base = striped ? this.#second : this.#paint;
    blend(canvas, at, [base[0] * gain + gloss, base[1] * gain + gloss, base[2] * gain + gloss], coverage);
  }
}

function darken(canvas: Float32Array, at: number, gain: number): void {
  for (let c = 0; c < 3; c++) canvas[at + c] = (canvas[at + c] as number) * gain;
}
