/** Why several devices do not pay in a cell: what the best plan of each kind would take, and for what. */

import { latencyParts } from '../../../services/core/planning/advise/latency-parts.ts';
import { type DraftBlock, SUPPLIED } from '../../../services/core/planning/draft.ts';
import { simulate } from '../../../services/core/planning/simulate/simulate.ts';
import { type Cell, PLAN_KINDS } from './cells.ts';
import type { CellPlans } from './plans.ts';

const ONE_FRAME = { frames: 1, inFlight: 1, binding: 'late', timeline: true } as const;

export async function whyAlone(plans: CellPlans, cell: Cell): Promise<string> {
  const fleet = plans.fleet(cell.wire);
  const texts: string[] = [];
  for (const kind of PLAN_KINDS) {
    const found = await plans.likely(cell, kind);
    if (found === undefined) continue;
    const { blocks, predicted } = found.draft;
    const { timeline = [] } = simulate(blocks, fleet, ONE_FRAME);
    const { computeMs, transferMs, hubMs } = latencyParts(timeline);
    const parts = [
      { ms: computeMs, text: 'computing' },
      { ms: transferMs, text: `waiting for links (${carried(blocks, predicted.bytesPerFrame)})` },
      { ms: hubMs, text: 'for the hub' },
    ].sort((a, b) => b.ms - a.ms);
    const texted = parts.map(({ ms, text }) => `${Math.round(ms)} ${text}`).join(', ');
    texts.push(`${kind} would take ${Math.round(predicted.latencyMs)} ms, of these ${texted}`);
  }
  return texts.length === 0 ? 'nothing of it can be shared out' : texts.join('; ');
}

/** What links carry in a frame, and how much of it are strips. */
function carried(blocks: readonly DraftBlock[], bytesPerFrame: number): string {
  const all = blocks.flatMap(({ parts }) => parts.flatMap(({ strips = [] }) => strips));
  const strips = all.reduce((sum, { block, bytes }) => sum + (block === SUPPLIED ? 0 : bytes), 0);
  return `${megabytes(bytesPerFrame)} MB a frame${strips === 0 ? '' : `, ${megabytes(strips)} of them strips`}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}
