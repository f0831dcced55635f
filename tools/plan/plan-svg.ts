/** The picture of a plan: tiles over the frame, blocks with what travels between them, one frame's timeline. */

import type { Graph } from '../../services/core/graph/types.ts';
import { blockRows, devicesOf } from '../../services/core/planning/advise/block-rows.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../services/core/planning/draft.ts';
import type { Analysis } from '../../services/core/tiling/analyse.ts';
import { blockBoxes } from './block-boxes.ts';
import { deviceColours, element, lines, STYLE, text } from './svg.ts';
import { type Panels, tilePanels } from './tile-panels.ts';

export interface PlanPicture {
  readonly graph: Graph;
  readonly analysis: Analysis;
  readonly fleet: Fleet;
  readonly draft: Draft;
  /** The verdict, at the head. */
  readonly title: string;
  /** What stands below it: model, bottleneck, break-even. */
  readonly remarks: readonly string[];
  /** Draws the timeline at most `width` wide, with these colours: a whole `<svg>` element. */
  readonly timeline: (width: number, colours: ReadonlyMap<string, string>) => string;
  /** Frames in it. */
  readonly frames: number;
}

const WIDTH = 1000;
const MARGIN = 24;
const INNER = WIDTH - 2 * MARGIN;

/** A whole SVG file; readable on a light and on a dark page, with no font but the reader's own. */
export function planSvg(picture: PlanPicture): string {
  const { graph, analysis, fleet, draft } = picture;
  const colours = deviceColours(fleet.devices.map(({ id }) => id));
  const sections = [
    heading(picture.title, picture.remarks),
    legend(fleet, draft, colours),
    titled('Tiles over the frame', tilePanels({ graph, analysis, draft, colours, width: INNER })),
    titled('Blocks in the order they run', blockBoxes(blockRows(draft, fleet), draft.blocks, colours, INNER)),
    titled(
      picture.frames === 1 ? 'One frame, by the simulator' : `${picture.frames} frames, by the simulator`,
      nested(picture.timeline(INNER, colours)),
    ),
  ];
  let y = MARGIN;
  const placed = sections.map(({ svg, height }) => {
    const group = element('g', { transform: `translate(${MARGIN} ${Math.round(y)})` }, svg);
    y += height + MARGIN / 2;
    return group;
  });
  const height = Math.ceil(y + MARGIN / 2);
  const content = [
    element('style', {}, STYLE),
    element('rect', { width: WIDTH, height, class: 'page' }),
    ...placed,
  ].join('');
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width: WIDTH,
      height,
      viewBox: `0 0 ${WIDTH} ${height}`,
      'font-family': 'system-ui, sans-serif',
      role: 'img',
    },
    content,
  )}\n`;
}

function heading(title: string, remarks: readonly string[]): Panels {
  const titles = lines(title, INNER, 18).map((line, at) =>
    text(0, 18 + at * 24, line, { size: 18, look: 'strong' }),
  );
  const top = titles.length * 24 + 16;
  const below = remarks.flatMap((remark) => lines(remark, INNER, 12));
  const said = below.map((line, at) => text(0, top + at * 18, line, { look: 'muted' }));
  return { svg: [...titles, ...said].join(''), height: top + below.length * 18 };
}

/** Legend entries per row are as wide as the longest name needs. */
function legend(fleet: Fleet, draft: Draft, colours: ReadonlyMap<string, string>): Panels {
  const used = new Set(devicesOf(draft, fleet));
  const labels = fleet.devices.map(({ id, medium, estimated }) => {
    const notes = [
      medium ?? 'on the hub',
      ...(used.has(id) ? [] : ['idle']),
      ...(estimated ? ['estimated'] : []),
    ];
    return { id, label: `${id} (${notes.join(', ')})` };
  });
  const longest = Math.max(0, ...labels.map(({ label }) => label.length));
  const step = Math.min(INNER, 34 + longest * 6.4);
  const perRow = Math.max(1, Math.floor(INNER / step));
  const entries = labels.map(({ id, label }, at) => {
    const x = (at % perRow) * step;
    const y = Math.floor(at / perRow) * 20;
    const swatch = element('rect', {
      x,
      y,
      width: 12,
      height: 12,
      rx: 2,
      fill: colours.get(id),
      'fill-opacity': used.has(id) ? 1 : 0.3,
    });
    return swatch + text(x + 18, y + 10, label, { size: 11, width: step - 24 });
  });
  return { svg: entries.join(''), height: Math.ceil(labels.length / perRow) * 20 };
}

function titled(title: string, { svg, height }: Panels): Panels {
  return {
    svg:
      text(0, 14, title, { size: 14, look: 'strong' }) + element('g', { transform: 'translate(0 28)' }, svg),
    height: height + 28,
  };
}

/** A whole SVG as a part of another: its height is read from its own first tag. */
function nested(svg: string): Panels {
  const start = svg.indexOf('<svg');
  const tag = svg.slice(start, svg.indexOf('>', start));
  return { svg: svg.slice(start).trim(), height: Number(/\sheight="([\d.]+)"/.exec(tag)?.[1] ?? 0) };
}
