import { describe, expect, it } from 'vitest';
import { activate, chooseActivation, softmax } from '../../../services/core/vision/activation.ts';

describe('softmax', () => {
  it('adds up to one and keeps ratios', () => {
    const [a, b, c] = softmax(Float32Array.of(0, Math.log(2), Math.log(5)));
    expect([a, b, c].map((value) => (value as number) * 8)).toEqual(
      [1, 2, 5].map((n) => expect.closeTo(n, 5)),
    );
  });

  it('does not overflow', () => {
    expect([...softmax(Float32Array.of(1e38, 1e38, -1e38))]).toEqual([0.5, 0.5, 0]);
  });

  it('gives NaN and -Infinity nothing, and infinity everything', () => {
    expect([...softmax(Float32Array.of(Number.NaN, 3, -Infinity))]).toEqual([0, 1, 0]);
    expect([...softmax(Float32Array.of(1, Infinity, 3))]).toEqual([0, 1, 0]);
    expect([...softmax(Float32Array.of(Number.NaN, Number.NaN))]).toEqual([0, 0]);
  });
});

describe('chooseActivation', () => {
  it('leaves scores alone and activates everything else', () => {
    expect(chooseActivation('auto', 'sigmoid', Float32Array.of(0, 0.5, 1.0009))).toBe('none');
    expect(chooseActivation('auto', 'sigmoid', Float32Array.of(0, 0.5, 1.2))).toBe('sigmoid');
    expect(chooseActivation('auto', 'softmax', Float32Array.of(-0.1, 0.5))).toBe('softmax');
    expect(chooseActivation('none', 'softmax', Float32Array.of(-5))).toBe('none');
  });

  it('looks only at the groups it is told of', () => {
    const rows = Float32Array.of(99, 0.5, 0.1, 99, 0.2, 0.3);
    expect(chooseActivation('auto', 'sigmoid', rows, 1, 2, 3)).toBe('none');
    expect(chooseActivation('auto', 'sigmoid', rows, 0, 3, 3)).toBe('sigmoid');
  });
});

describe('activate', () => {
  it('knows the three', () => {
    expect(activate(Float32Array.of(0), 'sigmoid')[0]).toBe(0.5);
    expect(activate(Float32Array.of(7), 'softmax')[0]).toBe(1);
    expect(activate(Float32Array.of(7), 'none')[0]).toBe(7);
  });
});
