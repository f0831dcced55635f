import { expect, test } from 'vitest';
import { errorPercent, throughputTargets } from '../../../../tools/bench/throughput/targets.ts';

const result = {
  network: 'small',
  devices: 8,
  memory: 'ample',
  framesPerSecond: 14.4,
  aloneFramesPerSecond: 2,
  simulatedFramesPerSecond: 16,
} as const;

test('eight devices must be seven times one, five times with little memory', () => {
  const [ample] = throughputTargets([result]);
  expect(ample).toMatchObject({ target: '>= 7', value: 7.2, pass: true });
  const [limited] = throughputTargets([{ ...result, memory: 'limited', framesPerSecond: 9 }]);
  expect(limited).toMatchObject({ target: '>= 5', value: 4.5, pass: false });
});

test('the simulation must be near, above or below', () => {
  expect(errorPercent(result)).toBeCloseTo(11.1, 1);
  const [near] = throughputTargets([{ ...result, devices: 2 }]);
  expect(near?.pass).toBe(true);
  const [far] = throughputTargets([{ ...result, devices: 2, simulatedFramesPerSecond: 12 }]);
  expect(far).toMatchObject({ value: 16.67, pass: false });
});

test('eight devices that could not run the plan have missed it', () => {
  const failed = { network: 'small', memory: 'limited', reason: 'killed' } as const;
  expect(
    throughputTargets(
      [],
      [
        { ...failed, devices: 2 },
        { ...failed, devices: 8 },
      ],
    ),
  ).toMatchObject([{ name: 'small, 8 devices, limited: x one device', value: 0, pass: false }]);
});
