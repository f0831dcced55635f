/** Figures as bars in an SVG picture: groups of rows on one scale, with a line to compare them with. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Printed behind the bar. */
  readonly note: string;
  /** Ours, what it is compared with in the same run, or what a paper reports. */
  readonly kind: 'ours' | 'other' | 'paper';
  /** Interval of the value. */
  readonly range?: readonly [number, number];
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface BarChart {
  readonly title: string;
  readonly groups: readonly BarGroup[];
  /** Value at the right edge; what is longer is cut off there, and its figure printed. */
  readonly most: number;
  /** Value of the dashed line. */
  readonly line: number;
}

const WIDTH = 860;
const LEFT = 250;
const NOTES = 160;
const ROW = 22;
const TOP = 46;
const COLOURS = { ours: '#1b7f5c', other: '#8a98a8', paper: '#c98a2b' } as const;

/** An SVG document. */
export function barChart({ title, groups, most, line }: BarChart): string {
  const across = (value: number): number =>
    LEFT + (Math.min(Math.max(0, value), most) / most) * (WIDTH - LEFT - NOTES);
  const parts: string[] = [];
  let y = TOP;
  for (const group of groups) {
    parts.push(`<text x="12" y="${y + 14}" font-weight="bold">${escaped(group.title)}</text>`);
    y += ROW;
    for (const bar of group.bars) {
      parts.push(barAt(bar, y, across));
      y += ROW;
    }
    y += ROW / 2;
  }
  const at = across(line).toFixed(1);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 12}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${y + 12}" fill="#fff"/>`,
    `<text x="12" y="22" font-size="15">${escaped(title)}</text>`,
    `<line x1="${at}" x2="${at}" y1="${TOP}" y2="${y}" stroke="#222" stroke-dasharray="3 3"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function barAt(
  { label, value, note, kind, range }: Bar,
  y: number,
  across: (value: number) => number,
): string {
  const end = across(value);
  const interval =
    range === undefined
      ? ''
      : `<line x1="${across(range[0]).toFixed(1)}" x2="${across(range[1]).toFixed(1)}" y1="${y + 10}" y2="${y + 10}" stroke="#222"/>`;
  return [
    `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${escaped(label)}</text>`,
    `<rect x="${LEFT}" y="${y + 3}" width="${(end - LEFT).toFixed(1)}" height="${ROW - 7}" fill="${COLOURS[kind]}"/>`,
    interval,
    `<text x="${(end + 8).toFixed(1)}" y="${y + 14}">${escaped(note)}</text>`,
  ].join('');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
