/** How tensors may travel, after what sample frames have refused. */

import { expect, test } from 'vitest';
import type { RefusedCodec } from '../../../../services/core/planning/draft.ts';
import { CutFacts } from '../../../../services/core/planning/search/wire-form.ts';
import { maps, spaceOf } from './small.ts';

const { graph } = await spaceOf(maps());
const [tensor = ''] = [...graph.tensors.keys()].filter(
  (name) => new CutFacts(graph).form(name, 'uint8', false).codec === 'uint8',
);
const formsAfter = (...refused: (readonly RefusedCodec[])[]) => {
  const facts = new CutFacts(graph, { refused });
  return [
    facts.form(tensor, 'uint8', false).codec,
    facts.sent(tensor, 'uint8', false).wire,
    facts.form(tensor, 'fp16', false).codec,
  ];
};
const elsewhere = (count: number): RefusedCodec[] =>
  Array.from({ length: count }, (_, at) => ({ tensor: `other ${at}`, codec: 'uint8' }));

test('a codec refused at one tensor stays for others, and another codec for that one', () => {
  expect(formsAfter([{ tensor, codec: 'uint8' }])).toEqual(['raw', undefined, 'fp16']);
  expect(formsAfter([{ tensor, codec: 'uint8' }], [{ tensor, codec: 'fp16' }])).toEqual([
    'raw',
    undefined,
    'raw',
  ]);
  // What the same look has seen to keep to the budget is not refused, however much else is.
  expect(formsAfter(elsewhere(20))).toEqual(['uint8', 'uint8', 'fp16']);
});

test('one that look after look refuses somewhere is refused everywhere', () => {
  const looks = elsewhere(8).map((each) => [each]);
  expect(formsAfter(...looks.slice(1))).toEqual(['uint8', 'uint8', 'fp16']);
  expect(formsAfter(...looks)).toEqual(['raw', undefined, 'fp16']);
});
