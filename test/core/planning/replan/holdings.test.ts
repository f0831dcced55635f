/** What a change of plan costs in bytes: sub-models that devices have, those they lack, and what the replanner makes of it. */

import { describe, expect, test } from 'vitest';
import type { Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import type { Draft, DraftPart } from '../../../../services/core/planning/draft.ts';
import { Holdings } from '../../../../services/core/planning/replan/holdings.ts';
import { type Decision, Replanner } from '../../../../services/core/planning/replan/replanner.ts';
import { toyDevice, toyDraft, toyFleet } from './world.ts';

const medium = (name: string, bytesPerMs = 1000) => ({
  name,
  bytesPerMs,
  duplex: 'full' as const,
  latencyMs: 1,
});

/** Two devices on cables of their own and one on the hub, whose cable carries as much. */
const FLEET: Fleet = {
  ...toyFleet([toyDevice('a', 1, { medium: 'a' }), toyDevice('b', 1, { medium: 'b' }), toyDevice('c')]),
  hub: { messageMs: 0, byteMs: 0, medium: 'hub' },
  media: new Map(['a', 'b', 'hub'].map((name) => [name, medium(name)])),
};

/** A draft of blocks whose nodes begin elsewhere for another `cut`: nothing of it is in any other. */
function weighing(weightBytes: number, devices: readonly string[], cut = 0): Draft {
  const { blocks, ...draft } = toyDraft(devices.map((id) => [id, 1]));
  return {
    ...draft,
    blocks: blocks.slice(0, 1).map(({ block, parts, ...rest }) => ({
      ...rest,
      block: { ...block, nodes: [{ index: cut }] as unknown as typeof block.nodes },
      parts: parts.map((part): DraftPart => ({ ...part, weightBytes })),
    })),
  };
}

describe('what devices hold', () => {
  test('the hub sends to all of them by one cable; a device on it has its files at once', () => {
    const holdings = new Holdings();
    expect(holdings.fetchMs(weighing(500_000, ['a']), FLEET)).toBe(500);
    expect(holdings.fetchMs(weighing(500_000, ['a', 'b', 'c']), FLEET)).toBe(1000);
    expect(holdings.fetchMs(weighing(500_000, ['c']), FLEET)).toBe(0);
    const slow = { ...FLEET, media: new Map([...FLEET.media, ['a', medium('a', 10)]]) };
    expect(holdings.fetchMs(weighing(500_000, ['a', 'b', 'c']), slow)).toBe(50_000);
  });

  test('what a plan has brought stays, until the device goes', () => {
    const holdings = new Holdings();
    const [first, second] = [weighing(500_000, ['a']), weighing(500_000, ['a'], 1)];
    holdings.loaded('a', first, 10_000, FLEET);
    expect(holdings.fetchMs(first, FLEET)).toBe(0);
    expect(holdings.fetchMs(second, FLEET)).toBe(500);
    holdings.online(new Set(['b']));
    expect(holdings.fetchMs(first, FLEET)).toBe(500);
  });

  test('a device that was ready sooner than its link carries anything had its files already', () => {
    const holdings = new Holdings();
    holdings.loaded('a', weighing(500_000, ['a']), 10, FLEET);
    expect(holdings.fetchMs(weighing(9_000_000, ['a'], 1), FLEET)).toBe(0);
    holdings.loaded('b', weighing(500_000, ['b']), 490, FLEET);
    expect(holdings.fetchMs(weighing(9_000_000, ['b'], 1), FLEET)).toBe(9_000);
    // Until it takes as long as there is to fetch.
    holdings.loaded('a', weighing(500_000, ['a'], 2), 600, FLEET);
    expect(holdings.fetchMs(weighing(9_000_000, ['a'], 1), FLEET)).toBe(9_000);
  });

  test('the whole of a block and its tiles are one file', () => {
    const holdings = new Holdings();
    const tiles = weighing(500_000, ['a']);
    const whole = { ...tiles, blocks: tiles.blocks.map((block) => ({ ...block, mode: 'whole' as const })) };
    holdings.loaded('a', tiles, 10_000, FLEET);
    expect(holdings.fetchMs(whole, FLEET)).toBe(0);
  });
});

describe('a plan is changed to where what it saves pays for what it costs', () => {
  const now = 0;
  const [running, held, best] = [
    weighing(1_000_000, ['a', 'b']),
    weighing(0, ['c'], 1),
    weighing(1_000_000, ['a', 'b'], 2),
  ];
  const msOf = new Map([
    [running, 2000],
    [held, 1000],
    [best, 900],
  ]);
  /** Links `slower` than profiled, and what is decided then. */
  function decided(
    slower: number,
    { bestMs = 900, preparesMs = 0, settled = true, others = [held] as readonly Draft[] } = {},
  ): Decision | undefined {
    const times = new Map([...msOf, [best, bestMs]]);
    const replanner = new Replanner({
      fleet: FLEET,
      now: () => now,
      running,
      objective: 'latency',
      plan: () => best,
      others: () => others,
      prepareMs: (draft) => (draft === best ? preparesMs : 0),
      predict: ({ blocks }) => {
        const [nodes] = blocks.flatMap(({ block }) => block.nodes.map(({ index }) => index));
        const [draft] = [running, held, best].filter(
          (each) => each.blocks[0]?.block.nodes[0]?.index === nodes,
        );
        return { latencyMs: times.get(draft as Draft) ?? 0, framesPerSecond: 1 };
      },
    });
    replanner.online(['a', 'b', 'c']);
    for (const id of ['a', 'b']) for (let i = 0; i < 8; i++) replanner.linkSeen(id, slower);
    replanner.finished(8);
    return replanner.decide(settled);
  }

  test('over a good link the best is fetched', () => {
    expect(decided(1)?.draft).toBe(best);
  });

  test('over a slow one what is at hand is taken, unless the best saves far more', () => {
    expect(decided(100)?.draft).toBe(held);
    expect(decided(10, { bestMs: 10 })?.draft).toBe(best);
  });

  test('what must be looked at on sample frames first costs as much as it takes', () => {
    expect(decided(1, { preparesMs: 25_000 })?.draft).toBe(held);
  });

  test('and nothing is changed where neither pays', () => {
    expect(decided(1000, { others: [] })).toBeUndefined();
  });

  test('nor while links have not said how they are', () => {
    expect(decided(1, { settled: false })).toBeUndefined();
  });

  test('a plan that cannot run does not wait for links', () => {
    const replanner = new Replanner({
      fleet: FLEET,
      now: () => now,
      running,
      objective: 'latency',
      plan: () => held,
      predict: () => ({ latencyMs: 1, framesPerSecond: 1 }),
    });
    replanner.online(['a', 'c']);
    expect(replanner.decide(false)?.why).toBe('gone');
  });
});
