import { describe, expect, it } from 'vitest';
import { dumpHead, dumpScene, sceneOfSeed } from '../../../tools/demo/dump.ts';
import { LABELS } from '../../../tools/demo/shapes.ts';

describe('dump', () => {
  it('writes what its description says', () => {
    const head = dumpHead(3, 48, 32);
    expect(head.toString('latin1', 0, 4)).toBe('TPSC');
    expect([4, 8, 12].map((at) => head.readUInt32LE(at))).toEqual([3, 48, 32]);

    const scene = sceneOfSeed(11, 160, 120);
    const body = dumpScene(scene);
    const objects = scene.objects();
    expect(body.length).toBe(4 + 24 * objects.length + 3 * 160 * 120);
    expect(body.readUInt32LE(0)).toBe(objects.length);
    for (const [index, { label, box, visible }] of objects.entries()) {
      const at = 4 + 24 * index;
      expect(LABELS[body.readUInt32LE(at)]).toBe(label);
      expect([4, 8, 12, 16].map((side) => body.readFloatLE(at + side))).toEqual([...box]);
      expect(body.readFloatLE(at + 20)).toBeCloseTo(visible, 6);
    }
    expect(body.subarray(4 + 24 * objects.length)).toEqual(Buffer.from(scene.draw()));
  });
});
