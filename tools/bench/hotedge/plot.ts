/** The comparison as a picture: every plan's latency as a share of all-in-one's, the paper's figures beside them. */

import type { CellResult } from './targets.ts';

const PAPER = [
  { label: "HotEdge'19, 2.4 GHz", share: 1 - 0.4415 },
  { label: "HotEdge'19, 1.2 GHz", share: 1 - 0.4794 },
] as const;

const WIDTH = 860;
const LEFT = 250;
const ROW = 22;
const TOP = 46;
/** What is slower is cut off here, and its figure printed. */
const MOST = 1.5;

/** An SVG document. */
export function plot(results: readonly CellResult[]): string {
  const parts: string[] = [];
  let y = TOP;
  const row = (
    label: string,
    share: number,
    note: string,
    colour: string,
    range?: [number, number],
  ): void => {
    const end = across(share);
    parts.push(
      `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${label}</text>`,
      `<rect x="${LEFT}" y="${y + 3}" width="${(end - LEFT).toFixed(1)}" height="${ROW - 7}" fill="${colour}"/>`,
      `<text x="${(end + 8).toFixed(1)}" y="${y + 14}">${note}</text>`,
    );
    if (range !== undefined)
      parts.push(
        `<line x1="${across(range[0]).toFixed(1)}" x2="${across(range[1]).toFixed(1)}" y1="${y + 10}" y2="${y + 10}" stroke="#222"/>`,
      );
    y += ROW;
  };
  for (const cell of new Set(results.map(({ link, cpu }) => `${link}, ${cpu}`))) {
    const own = results.filter(({ link, cpu }) => `${link}, ${cpu}` === cell);
    const alone = own.find(({ plan }) => plan === 'all-in-one')?.medianMs ?? Number.NaN;
    parts.push(`<text x="12" y="${y + 14}" font-weight="bold">${cell}</text>`);
    y += ROW;
    for (const { plan, medianMs, ci95, n } of own) {
      const colour = plan.startsWith('ours') ? '#1b7f5c' : '#8a98a8';
      const note = `${Math.round(medianMs)} ms, ${(medianMs / alone).toFixed(2)} (n ${n})`;
      row(plan, medianMs / alone, note, colour, [ci95[0] / alone, ci95[1] / alone]);
    }
    if (cell.startsWith('200mbit'))
      for (const { label, share } of PAPER) row(label, share, share.toFixed(2), '#c98a2b');
    y += ROW / 2;
  }
  const height = y + 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    '<text x="12" y="22" font-size="15">VGG-16 on four emulated devices: latency as a share of one device alone</text>',
    `<line x1="${across(1)}" x2="${across(1)}" y1="${TOP}" y2="${y}" stroke="#222" stroke-dasharray="3 3"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function across(share: number): number {
  return LEFT + (Math.min(share, MOST) / MOST) * (WIDTH - LEFT - 160);
}
