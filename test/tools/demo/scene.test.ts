import { describe, expect, it } from 'vitest';
import { SCENE_HEIGHT, SCENE_WIDTH, Scene } from '../../../tools/demo/scene.ts';
import { distance, LABELS } from '../../../tools/demo/shapes.ts';
import { digest } from './support.ts';

function frames(seed: number, count: number): string[] {
  const scene = new Scene({ seed, width: 240, height: 176 });
  return Array.from({ length: count }, () => {
    const shown = digest(scene.draw());
    scene.step();
    return shown;
  });
}

describe('Scene', () => {
  it('is decided by its seed', () => {
    expect(frames(7, 4)).toEqual(frames(7, 4));
    expect(frames(7, 1)).not.toEqual(frames(8, 1));
  });

  it('draws the pictures the network was trained on, on every machine', () => {
    expect(frames(1, 2)).toMatchInlineSnapshot(`
      [
        "9aa3227205602d46",
        "82db74a46cbe75de",
      ]
    `);
  });

  it('moves, and draws a frame the same whether or not those before it were drawn', () => {
    const every = frames(3, 3);
    expect(new Set(every).size).toBe(3);
    const skipping = new Scene({ seed: 3, width: 240, height: 176 });
    skipping.step();
    skipping.step();
    expect(digest(skipping.draw())).toBe(every[2]);
  });

  it('keeps every box inside the picture and every object within reach of its centre', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      const scene = new Scene({ seed });
      for (let step = 0; step < 60; step++) scene.step();
      expect(scene.draw().length).toBe(3 * SCENE_WIDTH * SCENE_HEIGHT);
      expect(scene.objects().length).toBeGreaterThan(0);
      for (const { label, box, visible } of scene.objects()) {
        const [left, top, right, bottom] = box;
        seen.add(label);
        expect(left).toBeGreaterThanOrEqual(0);
        expect(top).toBeGreaterThanOrEqual(0);
        expect(right).toBeLessThanOrEqual(SCENE_WIDTH);
        expect(bottom).toBeLessThanOrEqual(SCENE_HEIGHT);
        expect(Math.min(right - left, bottom - top)).toBeGreaterThan(0);
        expect(Math.max(right - left, bottom - top)).toBeLessThanOrEqual(115);
        expect(visible).toBeGreaterThanOrEqual(0);
        expect(visible).toBeLessThanOrEqual(1);
      }
    }
    expect([...seen].sort()).toEqual([...LABELS].sort());
  });

  it('says how much of an object others cover', () => {
    const shares: number[] = [];
    for (let seed = 0; seed < 40; seed++) {
      const visible = new Scene({ seed, width: 240, height: 176 }).objects().map((object) => object.visible);
      expect(visible.at(-1), 'nothing covers the foremost').toBe(1);
      shares.push(...visible);
    }
    expect(shares.some((visible) => visible > 0.5 && visible < 0.9)).toBe(true);
  });
});

describe('distance', () => {
  it.each(LABELS)('keeps %s within its reach, and fills something', (label) => {
    for (let turn = 0; turn < 360; turn++) {
      const angle = (turn * Math.PI) / 180;
      const rim = distance(label, 1.11 * Math.cos(angle), 1.11 * Math.sin(angle), 1);
      expect(rim, `${turn} degrees`).toBeGreaterThan(0);
    }
    let deepest = 0;
    for (let x = -1; x <= 1; x += 0.05) {
      for (let y = -1; y <= 1; y += 0.05) deepest = Math.min(deepest, distance(label, x, y, 1));
    }
    expect(deepest).toBeLessThan(-0.1);
  });

  it('has five equal points on a star and a hole in a ring', () => {
    for (let point = 0; point < 5; point++) {
      const angle = (point * 2 * Math.PI) / 5;
      expect(distance('star', Math.cos(angle), Math.sin(angle), 1)).toBeCloseTo(0, 6);
      const between = angle + Math.PI / 5;
      expect(distance('star', 0.6 * Math.cos(between), 0.6 * Math.sin(between), 1)).toBeGreaterThan(0);
    }
    expect(distance('ring', 0, 0, 1)).toBeGreaterThan(0.4);
    expect(distance('ring', 0.8, 0, 1)).toBeLessThan(0);
  });
});
