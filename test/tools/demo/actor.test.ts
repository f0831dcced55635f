import { describe, expect, it } from 'vitest';
import { Actor, type Canvas } from '../../../tools/demo/actor.ts';
import { Random } from '../../../tools/demo/random.ts';
import { LABELS } from '../../../tools/demo/shapes.ts';

const SIDE = 128;
const LIGHT = [0.6, 0.8] as const;

function blank(objects: number): Canvas {
  return {
    width: SIDE,
    height: SIDE,
    pixels: new Float32Array(3 * SIDE * SIDE).fill(128),
    owners: new Uint8Array(SIDE * SIDE),
    shown: new Int32Array(objects + 1),
  };
}

/** Box of the pixels that are not gray: shadows darken gray to gray, bodies bring colour. */
function colouredBox({ pixels }: Canvas): number[] {
  const columns: number[] = [];
  const rows: number[] = [];
  for (let at = 0; at < pixels.length; at += 3) {
    const [red, green, blue] = pixels.subarray(at, at + 3) as unknown as [number, number, number];
    if (Math.max(red, green, blue) - Math.min(red, green, blue) < 1e-3) continue;
    columns.push((at / 3) % SIDE);
    rows.push(Math.floor(at / 3 / SIDE));
  }
  return [Math.min(...columns), Math.min(...rows), Math.max(...columns) + 1, Math.max(...rows) + 1];
}

describe('Actor', () => {
  it('says the box of what it paints, to the pixel', () => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const actor = new Actor(new Random(seed), SIDE, SIDE);
      for (let step = 0; step < seed; step++) actor.step(SIDE, SIDE);
      const canvas = blank(1);
      const { box, area } = actor.paint(canvas, 1, LIGHT);
      kinds.add(actor.label);
      expect(canvas.owners.filter((owner) => owner === 1)).toHaveLength(area);
      for (const [side, drawn] of colouredBox(canvas).entries()) {
        // Soft edges reach into the next pixel; a sharp corner fades over two or three.
        expect(Math.abs(drawn - (box[side] as number)), `${actor.label} of seed ${seed}`).toBeLessThanOrEqual(
          3,
        );
      }
    }
    expect(kinds.size).toBe(LABELS.length);
  });

  it('counts what of an earlier object a later one leaves', () => {
    const canvas = blank(2);
    const below = new Actor(new Random(1), SIDE, SIDE).paint(canvas, 1, LIGHT);
    expect(canvas.shown[1]).toBe(below.area);
    const same = new Actor(new Random(1), SIDE, SIDE).paint(canvas, 2, LIGHT);
    expect(same).toEqual(below);
    expect([...canvas.shown.subarray(1)]).toEqual([0, below.area]);
  });

  it('keeps its centre in the picture for good', () => {
    for (let seed = 0; seed < 20; seed++) {
      const actor = new Actor(new Random(seed), SIDE, SIDE);
      for (let step = 0; step < 2000; step++) {
        actor.step(SIDE, SIDE);
        if (step % 100 > 0) continue;
        const { box } = actor.paint(blank(1), 1, LIGHT);
        expect(box[2] - box[0], `seed ${seed}, step ${step}`).toBeGreaterThan(3);
        expect(box[3] - box[1], `seed ${seed}, step ${step}`).toBeGreaterThan(3);
      }
    }
  });
});
