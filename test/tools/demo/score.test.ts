import { describe, expect, it } from 'vitest';
import type { SceneObject } from '../../../tools/demo/scene.ts';
import { LABELS } from '../../../tools/demo/shapes.ts';
import { type Found, Score } from './score.ts';

const at = (x: number, score: number, label = 'ball'): Found => ({
  label,
  score,
  box: { x, y: 0, width: 10, height: 10 },
});
const truth = (x: number, visible = 1, label: SceneObject['label'] = 'ball'): SceneObject => ({
  label,
  visible,
  box: [x, 0, x + 10, 10],
});

describe('Score', () => {
  it('is perfect where every object is found once', () => {
    const score = new Score();
    score.add(
      LABELS.map((label) => at(3, 0.9, label)),
      LABELS.map((label) => truth(2, 1, label)),
    );
    expect(score.at(0.4)).toEqual({ precision: 1, recall: 1, f1: 1 });
    expect(score.map50()).toBe(1);
  });

  it('counts a second find, a wrong class and a wrong place as false, a miss as missing', () => {
    const score = new Score();
    score.add([at(0, 0.9), at(1, 0.8), at(40, 0.7, 'box'), at(66, 0.6)], [truth(0), truth(40), truth(60)]);
    expect(score.at(0.4)).toMatchObject({ precision: 1 / 4, recall: 1 / 3 });
    expect(score.at(0.85)).toMatchObject({ precision: 1, recall: 1 / 3 });
  });

  it('leaves out what is hardly visible, found or not', () => {
    const score = new Score();
    score.add([at(0, 0.9), at(40, 0.9)], [truth(0), truth(40, 0.3), truth(80, 0.3)]);
    expect(score.at(0.4)).toEqual({ precision: 1, recall: 1, f1: 1 });
  });
});
