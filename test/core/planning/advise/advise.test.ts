/** Advice on a small network and fleets made by hand: where one device is best, where several are, and what is said. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adviceOf } from '../../../../services/core/planning/advise/advice-document.ts';
import { type Advice, type AdviseInput, advise } from '../../../../services/core/planning/advise/advise.ts';
import { catalogueEntry, sortedCatalogue } from '../../../../services/core/planning/advise/catalogue.ts';
import { withSlowestLink } from '../../../../services/core/planning/advise/changed-fleet.ts';
import { latencyParts } from '../../../../services/core/planning/advise/latency-parts.ts';
import { parseWhatIf } from '../../../../services/core/planning/advise/what-if.ts';
import type { Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import { openSpace, type SearchSpace, search } from '../../../../services/core/planning/search/search.ts';
import { MBIT } from '../../../../services/core/planning/units.ts';
import { validator } from '../../../../services/core/runtime/validate.ts';
import { adviceSchema } from '../../../../services/core/schema/generated/advice.ts';
import { catalogueSchema } from '../../../../services/core/schema/generated/catalogue.ts';
import { temporaryFolder } from '../../../support/cluster.ts';
import { ModelBuilder } from '../../../support/model-builder.ts';
import { openModel } from '../../../support/open-model.ts';
import { fleetOfSpeeds } from './fleets.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

let space: SearchSpace;
beforeAll(async () => {
  const { graph, analysis } = await openModel(folder.path, chain(4), { name: 'chain' });
  space = openSpace(graph, analysis);
});

/** Convolutions of 64 x 64 maps, 2.4 M multiply-accumulates each. */
function chain(count: number): Uint8Array {
  const builder = new ModelBuilder().input('x', [1, 8, 64, 64]);
  for (let at = 0; at < count; at++) {
    builder
      .random(`w${at}`, [8, 8, 3, 3])
      .node('Conv', [at === 0 ? 'x' : `y${at - 1}`, `w${at}`], [`y${at}`], {
        kernel_shape: [3, 3],
        pads: [1, 1, 1, 1],
      });
  }
  return builder.output(`y${count - 1}`, 'float32', [1, 8, 64, 64]).encode();
}

/** Slow enough that links can pay: 100 M multiply-accumulates per second. */
const SLOW = 0.01;
const four = (mbit: number): Fleet => fleetOfSpeeds({ speeds: [SLOW, SLOW, SLOW, SLOW], mbit });
const known = new Map<string, Advice>();

/** An advice is some thirty searches: what was asked before has its answer. */
function ask(fleet: Fleet, more: Partial<AdviseInput> = {}): Advice {
  const key = JSON.stringify([fleet, more], (_, value) => (value instanceof Map ? [...value] : value));
  const advice = known.get(key) ?? advise({ space, fleet, objective: 'latency', ...more });
  known.set(key, advice);
  return advice;
}

describe('the verdict', () => {
  test('over slow links: stay on one device', () => {
    const { chosen, verdict, breakEven } = ask(four(0.1));
    expect(chosen.strategy).toBe('one-device');
    expect(verdict).toMatch(/^Stay on one device: \d+ ms a frame on pi-\d; the best on several \(/);
    expect(breakEven.text).toMatch(
      /^Below [\d.]+ [kM]bit\/s stay on one device; the links have 100 kbit\/s\.$/,
    );
  });

  test('over fast links: spread, and by how much', () => {
    const { chosen, verdict, alternatives } = ask(four(1000));
    expect(chosen.strategy).not.toBe('one-device');
    expect(verdict).toMatch(/^Spread over 4 devices: [\d.]+x faster \(\d+ ms -> \d+ ms\)\.$/);
    const single = alternatives.find(({ name }) => name === 'one-device');
    expect(single?.draft.predicted.latencyMs).toBeGreaterThan(2 * chosen.predicted.latencyMs);
  });

  test('just below the break-even one device is best, just above it is not', () => {
    const fleet = four(100);
    const { breakEven } = ask(fleet);
    if (breakEven.kind !== 'link') throw new Error(breakEven.text);
    const strategyAt = (factor: number): string =>
      search(space, withSlowestLink(fleet, breakEven.bytesPerMs * factor), { objective: 'latency' }).best
        .strategy;
    expect(strategyAt(0.97)).toBe('one-device');
    expect(strategyAt(1.001)).not.toBe('one-device');
  });

  test('one device is best at any link speed where the others are hopeless', () => {
    const { verdict, breakEven } = ask(fleetOfSpeeds({ speeds: [1, 0.0001] }));
    expect(verdict).toMatch(/^Stay on one device/);
    expect(breakEven).toMatchObject({ kind: 'never' });
    expect(breakEven.text).toMatch(/^One device is best at any link speed: (even over 100 Gbit\/s|no plan)/);
  });

  test('the only device', () => {
    const { verdict, breakEven, alternatives } = ask(fleetOfSpeeds({ speeds: [SLOW] }));
    expect(verdict).toMatch(/^Stay on one device: pi-1 is the only one, /);
    expect(breakEven.text).toBe('One device is best at any link speed: there is no other.');
    expect(alternatives.map(({ name }) => name)).toEqual(['one-device']);
  });

  test('throughput is told in frames', () => {
    const { verdict, chosen } = ask(four(1000), { objective: 'throughput' });
    expect(chosen.strategy).not.toBe('one-device');
    expect(verdict).toMatch(/[\d.]+x the frames \([\d.]+ -> [\d.]+ frames\/s\)\.$/);
  });
});

describe('alternatives', () => {
  test('the chosen one first, then by the objective', () => {
    const { alternatives, chosen } = ask(four(100));
    expect(alternatives[0]?.draft).toBe(chosen);
    const times = alternatives.map(({ draft }) => draft.predicted.latencyMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(alternatives.map(({ name }) => name)).not.toContain('equal-tiles');
  });

  test('equal tiles are held against it where the devices are unequal, and lose', () => {
    const { alternatives, chosen } = ask(fleetOfSpeeds({ speeds: [SLOW, SLOW, SLOW, SLOW / 4] }));
    const equal = alternatives.find(({ name }) => name === 'equal-tiles');
    expect(equal?.draft.predicted.latencyMs).toBeGreaterThan(chosen.predicted.latencyMs);
  });

  test('what needs more memory than there is stays in the list and says so', () => {
    const limited = fleetOfSpeeds({ speeds: [SLOW, SLOW, SLOW, SLOW], memoryBytes: 64e6 + 250e3 });
    const advice = ask(limited);
    expect(advice.verdict).toMatch(/the model fits on no device alone\.$/);
    const document = adviceOf(advice, { name: 'chain', digest: 'd' });
    expect(document.verdict.gain).toBeNull();
    expect(document.alternatives.find(({ name }) => name === 'one-device')).toMatchObject({
      fits: false,
      note: expect.stringMatching(/^needs more memory than pi-\d has$/),
    });
  });

  test('nothing fits', () => {
    const tiny = fleetOfSpeeds({ speeds: [SLOW, SLOW], memoryBytes: 64e6 + 1000 });
    expect(() => ask(tiny)).toThrow(
      expect.objectContaining({ code: 'plan-impossible', message: expect.stringContaining('pi-1 lacks') }),
    );
  });
});

describe('questions', () => {
  test('are answered for their own fleets', () => {
    const whatIfs = ['+4 devices', 'link=100kbit', 'memory=1KB', 'cpu=4 on pi-1'].map(parseWhatIf);
    const [more, slow, small, fast] = ask(four(1000), { whatIfs }).whatIfs;
    expect(more?.verdict).toMatch(/^Spread over \d devices/);
    expect(slow?.verdict).toMatch(/^Stay on one device/);
    expect(small).toMatchObject({ verdict: 'No plan fits the memory.' });
    expect(small?.chosen).toBeUndefined();
    expect(fast?.chosen?.predicted.latencyMs).toBeLessThan(ask(four(1000)).chosen.predicted.latencyMs);
  });

  test('about what is not there are refused', () => {
    expect(() => ask(four(1000), { whatIfs: [parseWhatIf('cpu=2 on pi-9')] })).toThrow(/no device "pi-9"/);
  });
});

test('the document is that of the schema', () => {
  const check = validator(adviceSchema, 'internal');
  const whatIfs = [parseWhatIf('+1 device')];
  const alone = ask(fleetOfSpeeds({ speeds: [SLOW] }), { whatIfs });
  for (const advice of [ask(four(0.1)), ask(four(1000)), alone]) {
    const document = adviceOf(advice, { name: 'chain', digest: 'd' });
    check(structuredClone(document));
    const shares = document.plan.blocks.reduce((sum, { macsShare }) => sum + macsShare, 0);
    expect(shares).toBeCloseTo(1);
    const { computeMs, transferMs, hubMs } = document.bottleneck.latency;
    expect(computeMs + transferMs + hubMs).toBeLessThanOrEqual(document.plan.latencyMs * 1.5);
  }
});

test('where time goes: computing before links before the hub', () => {
  const event = { resource: 'r', device: 'd', frame: 0, block: 0, part: 0 };
  const parts = latencyParts([
    { ...event, kind: 'message', from: 0, to: 2 },
    { ...event, kind: 'transfer', from: 1, to: 5 },
    { ...event, kind: 'compute', from: 3, to: 9 },
    { ...event, kind: 'compute', from: 4, to: 6 },
    { ...event, kind: 'message', from: 10, to: 11 },
  ]);
  expect(parts).toEqual({ computeMs: 6, transferMs: 2, hubMs: 2 });
});

test('a catalogue: alone, together, too late, too large', () => {
  const fleet = four(1000);
  const { latencyMs } = ask(fleet).chosen.predicted;
  const entry = (deadlineMs: number, on = fleet) =>
    catalogueEntry({ file: `${deadlineMs}.onnx`, model: 'chain', space, fleet: on, deadlineMs });
  const tiny = fleetOfSpeeds({ speeds: [SLOW], memoryBytes: 64e6 });
  const entries = [entry(1e6, tiny), entry(latencyMs / 2), entry(latencyMs * 1.1), entry(latencyMs * 10)];
  expect(entries.map(({ answer }) => answer)).toEqual(['too-large', 'too-slow', 'together', 'one-device']);
  const models = sortedCatalogue(entries);
  expect(models.map(({ answer }) => answer)).toEqual(['one-device', 'together', 'too-slow', 'too-large']);
  validator(catalogueSchema, 'internal')({ deadlineMs: MBIT, models, skipped: [] });
});
