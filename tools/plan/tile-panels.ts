/** The picture with a block's tiles over it, coloured by device, their halos dashed. */

import type { Graph } from '../../services/core/graph/types.ts';
import type { Draft, DraftBlock, DraftPart } from '../../services/core/planning/draft.ts';
import type { Range, Region } from '../../services/core/tensor/region.ts';
import type { Analysis } from '../../services/core/tiling/analyse.ts';
import { element, text } from './svg.ts';

export interface Panels {
  readonly svg: string;
  readonly height: number;
}

export interface PanelInput {
  readonly graph: Graph;
  readonly analysis: Analysis;
  readonly draft: Draft;
  readonly colours: ReadonlyMap<string, string>;
  /** Pixels there are from side to side. */
  readonly width: number;
}

/** A rectangle as shares of the frame. */
interface Share {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

interface Painted {
  readonly share: Share;
  readonly halo?: Share;
  readonly device: string;
}

interface Panel {
  readonly title: string;
  readonly painted: readonly Painted[];
}

const EVERYTHING: Share = { top: 0, left: 0, height: 1, width: 1 };
const HEIGHT = 150;
const GAP = 16;
const TITLE = 20;
/** Narrowest and widest a panel is drawn, however the frame is. */
const WIDTHS = [90, 300] as const;
const MOST_PANELS = 8;

/** One panel per tiled block; whole frames by turns get one per device, everything else a single one. */
export function tilePanels(input: PanelInput): Panels {
  const panels = panelsOf(input);
  const width = Math.min(WIDTHS[1], Math.max(WIDTHS[0], HEIGHT * aspect(input)));
  const perRow = Math.max(1, Math.floor((input.width + GAP) / (width + GAP)));
  const shown = panels.slice(0, MOST_PANELS);
  const drawn = shown.map((panel, at) => {
    const x = (at % perRow) * (width + GAP);
    const y = Math.floor(at / perRow) * (HEIGHT + TITLE + GAP);
    return element(
      'g',
      { transform: `translate(${Math.round(x)} ${y})` },
      onePanel(panel, width, input.colours),
    );
  });
  let height = Math.ceil(shown.length / perRow) * (HEIGHT + TITLE + GAP);
  if (panels.length > shown.length) {
    drawn.push(
      text(0, height, `and ${panels.length - shown.length} more tiled blocks`, { look: 'muted', size: 11 }),
    );
    height += TITLE;
  }
  return { svg: drawn.join(''), height };
}

function panelsOf({ graph, analysis, draft }: PanelInput): Panel[] {
  if (draft.strategy === 'replicas') {
    const devices = draft.blocks[0]?.parts[0]?.devices ?? [];
    return devices.map((device, at) => ({
      title: `frame ${at + 1}, ${at + 1 + devices.length}, \u2026`,
      painted: [{ share: EVERYTHING, device }],
    }));
  }
  const tiled = draft.blocks.filter(({ mode }) => mode === 'tile');
  if (tiled.length === 0) {
    const device = draft.blocks[0]?.parts[0]?.devices[0] ?? '';
    return [{ title: 'the frame in one piece', painted: [{ share: EVERYTHING, device }] }];
  }
  return tiled.map((planned) => {
    const painted = planned.parts.flatMap((part) => paintedTile(graph, analysis, planned, part));
    const read = painted.reduce((sum, { halo = EVERYTHING }) => sum + halo.height * halo.width, 0);
    const more = Math.round(100 * Math.max(0, read - 1));
    return { title: `block ${planned.block.id}, halo +${more} %`, painted };
  });
}

function paintedTile(graph: Graph, analysis: Analysis, { block }: DraftBlock, part: DraftPart): Painted[] {
  const shareOf = (regions: ReadonlyMap<string, Region>, names: readonly string[]): Share | undefined => {
    for (const name of names) {
      const axes = analysis.axes.get(name);
      const region = regions.get(name);
      const shape = graph.tensors.get(name)?.shape;
      if (axes === undefined || region === undefined || shape === undefined) continue;
      const [top, bottom] = scaled(region[axes.row] as Range, shape[axes.row] as number);
      const [left, right] = scaled(region[axes.column] as Range, shape[axes.column] as number);
      return { top, left, height: bottom - top, width: right - left };
    }
    return undefined;
  };
  // The largest output shows the tiles at their finest.
  const outputs = [...block.outputs].sort((a, b) => pixels(graph, analysis, b) - pixels(graph, analysis, a));
  const share = shareOf(part.tile.outputs, outputs);
  const halo = shareOf(part.tile.inputs, block.inputs);
  if (share === undefined) return [];
  return [{ share, device: part.devices[0] ?? '', ...(halo === undefined ? {} : { halo }) }];
}

function scaled([begin, end]: Range, extent: number): [number, number] {
  return [begin / extent, end / extent];
}

function pixels(graph: Graph, analysis: Analysis, name: string): number {
  const axes = analysis.axes.get(name);
  const shape = graph.tensors.get(name)?.shape;
  return axes === undefined || shape === undefined
    ? 0
    : (shape[axes.row] as number) * (shape[axes.column] as number);
}

/** Width of the frame by its height; 1 where the model takes no picture. */
function aspect({ graph, analysis }: PanelInput): number {
  for (const { name, shape } of graph.inputs) {
    const axes = analysis.axes.get(name);
    if (axes !== undefined) return (shape[axes.column] as number) / (shape[axes.row] as number);
  }
  return 1;
}

function onePanel({ title, painted }: Panel, width: number, colours: ReadonlyMap<string, string>): string {
  const place = ({ top, left, height, width: share }: Share, inset = 0) => ({
    x: left * width + inset,
    y: TITLE + top * HEIGHT + inset,
    width: Math.max(1, share * width - 2 * inset),
    height: Math.max(1, height * HEIGHT - 2 * inset),
  });
  const colour = (device: string): string => colours.get(device) ?? '#818b98';
  const tiles = painted.map(({ share, device }) =>
    element('rect', {
      ...place(share, 1),
      fill: colour(device),
      'fill-opacity': 0.45,
      stroke: colour(device),
      'stroke-width': 1.5,
      rx: 2,
    }),
  );
  const halos = painted.flatMap(({ halo, device }, at) =>
    halo === undefined || painted.length < 2
      ? []
      : [
          element('rect', {
            // Neighbours' halos end on the same lines of a regular grid: each is drawn a little further in.
            ...place(halo, 2 + (at % 3) * 1.5),
            fill: 'none',
            stroke: colour(device),
            'stroke-width': 1.2,
            'stroke-dasharray': '4 3',
          }),
        ],
  );
  const names = painted.flatMap(({ share, device }) => {
    const { x, y, width: wide, height: high } = place(share);
    if (wide < 44 || high < 18) return [];
    return [text(x + wide / 2, y + high / 2 + 4, device, { size: 11, anchor: 'middle', width: wide - 8 })];
  });
  return [
    text(0, 13, title, { size: 12, look: 'strong', width }),
    scene(width),
    ...tiles,
    ...halos,
    ...names,
    element('rect', { x: 0, y: TITLE, width, height: HEIGHT, class: 'edge' }),
  ].join('');
}

/** A landscape, so that it is plain what the tiles are cut from. */
function scene(width: number): string {
  const at = (share: number): number => Math.round(share * width);
  const low = TITLE + HEIGHT;
  return [
    element('rect', { x: 0, y: TITLE, width, height: HEIGHT, class: 'sky' }),
    element('circle', { cx: at(0.76), cy: TITLE + 36, r: 16, class: 'sun' }),
    element('path', {
      d: `M0 ${TITLE + 96} L${at(0.26)} ${TITLE + 52} L${at(0.44)} ${TITLE + 88} L${at(0.66)} ${TITLE + 44} L${width} ${TITLE + 100} V${low} H0 Z`,
      class: 'far',
    }),
    element('path', {
      d: `M0 ${TITLE + 122} Q${at(0.3)} ${TITLE + 92} ${at(0.55)} ${TITLE + 118} T${width} ${TITLE + 112} V${low} H0 Z`,
      class: 'near',
    }),
  ].join('');
}
