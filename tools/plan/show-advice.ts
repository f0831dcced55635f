/** An advice for people: the verdict, then the figures it rests on. */

import { PLAN_NAMES } from '../../services/core/planning/advise/plan-names.ts';
import { figure, rateText } from '../../services/core/planning/advise/units.ts';
import { MBIT } from '../../services/core/planning/units.ts';
import type { Advice } from '../../services/core/schema/generated/advice.ts';
import { bytes, ms, print, table } from '../output.ts';

export function showAdvice(advice: Advice): void {
  const { plan, bottleneck, breakEven } = advice;
  print(`${advice.model}: ${advice.verdict.text}\n`);
  const frames = plan.inFlight === 1 ? 'one frame' : `${plan.inFlight} frames`;
  print(`Plan: ${PLAN_NAMES[plan.strategy]}, ${frames} under way, made for ${advice.objective}`);
  print(blockTable(advice));
  for (const line of wireLines(advice)) print(line);
  print(deviceTable(advice));
  print('Held against (all figures are predictions)');
  print(alternativeTable(advice));
  const { computeMs, transferMs, hubMs } = bottleneck.latency;
  print(`Bottleneck: ${bottleneck.text}`);
  print(
    `One frame alone: ${ms(computeMs)} of computing, ${ms(transferMs)} of links alone, ${ms(hubMs)} of the hub alone.`,
  );
  print(`Break-even: ${breakEven.text}`);
  if (advice.whatIfs.length > 0) {
    print('\nWhat if');
    print(whatIfTable(advice));
  } else if (advice.devices.length === 1) {
    print('\nWhat more devices would give: --what-if "+1 device", or --devices with theirs.');
  }
}

function blockTable({ plan }: Advice): string {
  const strips = plan.blocks.some(({ kept }) => kept);
  const rows = plan.blocks.map((block) => [
    block.id,
    block.nodes,
    modeText(block),
    block.parts,
    listed(block.devices),
    percent(block.macsShare),
    bytes(block.bytesIn),
    ...(strips ? [bytes(block.stripBytes)] : []),
    bytes(block.bytesOut),
    ms(block.computeMs),
  ]);
  const head = ['block', 'nodes', 'mode', 'parts', 'devices', 'MACs'];
  head.push('bytes in', ...(strips ? ['strips in'] : []), 'bytes out', 'computing');
  const reasons = plan.blocks.flatMap(({ id, reason }) =>
    reason === undefined ? [] : [`block ${id} runs whole: ${reason}`],
  );
  return [table(head, rows), ...reasons].join('\n');
}

function modeText({ mode, reuse, kept }: Advice['plan']['blocks'][number]): string {
  if (kept) return `${mode}, kept`;
  return reuse ? `${mode}, reuse` : mode;
}

/** What changes on the way, and what that loses. */
function wireLines({ plan, accuracy }: Advice): string[] {
  const coded = plan.cuts.filter(({ codec, deflated }) => codec !== 'raw' || deflated);
  const names = coded.map(({ tensor, block, codec, deflated }) => {
    const how = [...(codec === 'raw' ? [] : [codec]), ...(deflated ? ['deflated'] : [])].join(', ');
    return block < 0 ? `${tensor}: ${how}` : `${tensor} of block ${block}: ${how}`;
  });
  const { samples, relativeRms = 0, labels, equalLabels, refused = [] } = accuracy;
  const agree = [
    ...(labels === undefined ? [] : [`, ${percent(labels)} of the answers agree`]),
    ...(equalLabels === undefined ? [] : [`, ${equalLabels} of the frames have equal labels`]),
  ].join('');
  return [
    ...(names.length === 0 ? [] : [`On the wire: ${names.join('; ')}.`]),
    ...(plan.pixels === undefined ? [] : [`Input: ${plan.pixels}`]),
    ...refused.map((reason) => `Not taken: ${reason}`),
    ...(samples === undefined
      ? []
      : accuracy.class === 'exact'
        ? [`No value changes; how far tensors deflate was measured on ${samples} sample frames.`]
        : [`Loss on ${samples} sample frames: ${percent(relativeRms)} of the worst output${agree}.`]),
  ];
}

function deviceTable({ devices, media, plan, verdict }: Advice): string {
  const used = new Set(verdict.devices);
  const rows = devices.map(({ id, medium, memoryBytes, estimated }) => {
    const link = media.find(({ name }) => name === medium);
    const notes = [...(used.has(id) ? [] : ['idle']), ...(estimated ? ['estimated profile'] : [])];
    return [
      id,
      link === undefined ? 'on the hub' : `${link.name}, ${rateText(link.mbitPerSecond * MBIT)}`,
      used.has(id) ? bytes(plan.memoryBytes[id] ?? 0) : '-',
      memoryBytes === null ? 'none' : bytes(memoryBytes),
      notes.join(', '),
    ];
  });
  return table(['device', 'link', 'memory peak', 'limit', ''], rows);
}

function alternativeTable({ alternatives }: Advice): string {
  const rows = alternatives.map((one) => [
    PLAN_NAMES[one.name],
    ms(one.latencyMs),
    figure(one.framesPerSecond),
    (one.bytesPerFrame / 1e6).toFixed(2),
    bytes(Math.max(0, ...Object.values(one.memoryBytes))),
    one.note,
  ]);
  return table(['plan', 'one frame', 'frames/s', 'MB per frame', 'memory peak', 'verdict'], rows);
}

function whatIfTable({ whatIfs }: Advice): string {
  const rows = whatIfs.map(({ question, verdict, latencyMs, framesPerSecond }) => [
    question,
    latencyMs === undefined ? '-' : ms(latencyMs),
    framesPerSecond === undefined ? '-' : figure(framesPerSecond),
    verdict,
  ]);
  return table(['question', 'one frame', 'frames/s', 'verdict'], rows);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Names that fit a column. */
const SHOWN = 4;

export function listed(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return more > 1 ? `${names.slice(0, SHOWN).join(', ')} and ${more} more` : names.join(', ');
}
