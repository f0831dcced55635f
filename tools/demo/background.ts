/** What the objects of a scene move over: a gradient, value noise, and clutter that resembles no object. */

import type { Random } from './random.ts';

export type Colour = readonly [red: number, green: number, blue: number];

/** Hue in turns, saturation and value in 0..1, to RGB in 0..255. */
export function colour(hue: number, saturation: number, value: number): Colour {
  return [
    hsvChannel(5, hue, saturation, value),
    hsvChannel(3, hue, saturation, value),
    hsvChannel(1, hue, saturation, value),
  ];
}

function hsvChannel(offset: number, hue: number, saturation: number, value: number): number {
  const k = (offset + 6 * (hue - Math.floor(hue))) % 6;
  return 255 * value * (1 - saturation * Math.max(0, Math.min(k, 4 - k, 1)));
}

/** The background as interleaved RGB, 0..255. */
export function drawBackground(random: Random, width: number, height: number): Float32Array {
  const canvas = new Float32Array(3 * width * height);
  gradient(canvas, random, width, height);
  const roughness = random.between(0.4, 1);
  for (let cell = 128, strength = 34; cell >= 8; cell /= 2, strength *= 0.55) {
    valueNoise(canvas, random, width, height, cell, strength * roughness);
  }
  const megapixels = (width * height) / 1e6;
  for (let blobs = Math.round(megapixels * random.between(10, 60)); blobs > 0; blobs--) {
    blob(canvas, random, width, height);
  }
  for (let lines = Math.round(megapixels * random.between(0, 80)); lines > 0; lines--) {
    line(canvas, random, width, height);
  }
  return canvas;
}

function gradient(canvas: Float32Array, random: Random, width: number, height: number): void {
  const hue = random.between(0, 1);
  const from = colour(hue, random.between(0.05, 0.5), random.between(0.2, 0.85));
  const to = colour(hue + random.between(-0.2, 0.2), random.between(0.05, 0.5), random.between(0.2, 0.85));
  const angle = random.between(0, 2 * Math.PI);
  const dx = Math.cos(angle) / width;
  const dy = Math.sin(angle) / height;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const share = 0.5 + 0.7 * ((x - width / 2) * dx + (y - height / 2) * dy);
      for (let c = 0; c < 3; c++, at++) {
        canvas[at] = (from[c] as number) + share * ((to[c] as number) - (from[c] as number));
      }
    }
  }
}

/** Adds a random lattice, `cell` pixels wide, smoothly interpolated. */
function valueNoise(
  canvas: Float32Array,
  random: Random,
  width: number,
  height: number,
  cell: number,
  strength: number,
): void {
  const columns = Math.ceil(width / cell) + 2;
  const rows = Math.ceil(height / cell) + 2;
  const lattice = Float32Array.from({ length: columns * rows }, () => random.between(-strength, strength));
  const tint = [random.between(0.7, 1.2), random.between(0.7, 1.2), random.between(0.7, 1.2)] as const;
  const shiftX = random.between(0, cell);
  const shiftY = random.between(0, cell);
  for (let y = 0, at = 0; y < height; y++) {
    const v = (y + shiftY) / cell;
    const row = Math.floor(v);
    const down = smooth(v - row);
    for (let x = 0; x < width; x++) {
      const u = (x + shiftX) / cell;
      const column = Math.floor(u);
      const right = smooth(u - column);
      const corner = row * columns + column;
      const top = mix(lattice[corner] as number, lattice[corner + 1] as number, right);
      const bottom = mix(lattice[corner + columns] as number, lattice[corner + columns + 1] as number, right);
      const value = mix(top, bottom, down);
      for (let c = 0; c < 3; c++, at++) canvas[at] = (canvas[at] as number) + value * (tint[c] as number);
    }
  }
}

/** A soft, edgeless patch: something round that is no ball. */
function blob(canvas: Float32Array, random: Random, width: number, height: number): void {
  const cx = random.between(0, width);
  const cy = random.between(0, height);
  const radius = random.between(8, 45);
  const paint = colour(random.between(0, 1), random.between(0, 0.6), random.between(0.1, 1));
  const opacity = random.between(0.15, 0.5);
  const y1 = Math.min(height, Math.ceil(cy + radius));
  const x1 = Math.min(width, Math.ceil(cx + radius));
  for (let y = Math.max(0, Math.floor(cy - radius)); y < y1; y++) {
    for (let x = Math.max(0, Math.floor(cx - radius)); x < x1; x++) {
      const near = 1 - Math.hypot(x - cx, y - cy) / radius;
      if (near > 0) blend(canvas, 3 * (y * width + x), paint, opacity * smooth(near));
    }
  }
}

/** A straight line of random width and opacity across a part of the picture. */
function line(canvas: Float32Array, random: Random, width: number, height: number): void {
  const angle = random.between(0, 2 * Math.PI);
  const stepX = Math.cos(angle);
  const stepY = Math.sin(angle);
  const paint = colour(random.between(0, 1), random.between(0, 0.8), random.between(0.1, 1));
  const opacity = random.between(0.2, 0.8);
  const thickness = random.between(0.6, 2.4);
  const length = random.between(20, 0.7 * Math.max(width, height));
  let x = random.between(0, width);
  let y = random.between(0, height);
  const reach = Math.ceil(thickness);
  // Steps along the longer axis; across it, coverage falls off with the distance from the centre line.
  const steep = Math.abs(stepY) > Math.abs(stepX);
  const pace = 1 / Math.max(Math.abs(stepX), Math.abs(stepY));
  for (let along = 0; along < length; along += pace) {
    x += stepX * pace;
    y += stepY * pace;
    for (let across = -reach; across <= reach; across++) {
      const px = steep ? Math.round(x) + across : Math.round(x);
      const py = steep ? Math.round(y) : Math.round(y) + across;
      if (px < 0 || py < 0 || px >= width || py >= height) continue;
      const coverage = thickness / 2 + 0.5 - Math.abs(steep ? px - x : py - y) / pace;
      if (coverage > 0) blend(canvas, 3 * (py * width + px), paint, opacity * Math.min(1, coverage));
    }
  }
}

/** Paints one pixel, at offset `at`, with an opacity of 0..1. */
export function blend(canvas: Float32Array, at: number, paint: Colour, opacity: number): void {
  for (let c = 0; c < 3; c++) canvas[at + c] = mix(canvas[at + c] as number, paint[c] as number, opacity);
}

function mix(from: number, to: number, share: number): number {
  return from + share * (to - from);
}

/** Hermite smoothing of 0..1. */
export function smooth(share: number): number {
  return share * share * (3 - 2 * share);
}
