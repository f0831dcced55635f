/** What the parts of a plan make, so that those after them know where it is: kept regions, partial sums, strips. */

import type { Graph } from '../../graph/types.ts';
import { elementBytes } from '../../tensor/dtype.ts';
import { intersect, type Region, volume, whole } from '../../tensor/region.ts';
import { readingSums } from '../../tiling/partial.ts';
import type { FusedBlock, Tile } from '../../tiling/types.ts';
import { type DraftBlock, type DraftPart, type DraftStrip, SUPPLIED } from '../draft.ts';

export class MadeTensors {
  readonly #regions = new Map<string, readonly Region[]>();
  readonly #sums = new Map<string, number>();

  /** Takes in the parts of the next block. */
  add(block: Pick<FusedBlock, 'outputs' | 'kind'>, tiles: readonly Tile[]): void {
    for (const tensor of block.outputs) {
      if (block.kind === 'partial') this.#sums.set(tensor, tiles.length);
      else this.#regions.set(tensor, regionsIn(tiles, tensor));
    }
  }

  /** Regions of a tensor by the part that made them. */
  regionsOf(tensor: string): readonly Region[] {
    return this.#regions.get(tensor) ?? [];
  }

  /** The tile as it reads what is there: partial sums in place of tensors that nobody added up. */
  reading(tile: Tile): Tile {
    return readingSums(tile, this.#sums);
  }
}

function regionsIn(tiles: readonly Tile[], tensor: string): Region[] {
  const regions: Region[] = [];
  for (const { outputs } of tiles) {
    const region = outputs.get(tensor);
    if (region !== undefined) regions.push(region);
  }
  return regions;
}

interface Maker {
  readonly block: number;
  readonly part: number;
  readonly device: string | undefined;
  readonly region: Region;
}

/** Blocks whose parts gather themselves with what each waits for; what only such parts read is not sent to the merger. */
export function withStrips(graph: Graph, blocks: readonly DraftBlock[]): DraftBlock[] {
  if (blocks.every(({ entry }) => entry === undefined)) return [...blocks];
  const makers = new Map<string, Maker[]>();
  for (const { name, shape } of graph.inputs)
    makers.set(name, [{ block: SUPPLIED, part: 0, device: undefined, region: whole(shape) }]);
  for (const [block, { parts }] of blocks.entries()) {
    for (const [part, { tile, devices }] of parts.entries()) {
      for (const [tensor, region] of tile.outputs) {
        const list = makers.get(tensor) ?? [];
        list.push({ block, part, device: devices[0], region });
        makers.set(tensor, list);
      }
    }
  }
  const merged = mergedTensors(graph, blocks);
  const sent = new Map<string, number>();
  const stripped = blocks.map((block): DraftBlock => {
    if (block.entry === undefined) return block;
    return { ...block, parts: block.parts.map((part) => withOwn(graph, part, makers, sent)) };
  });
  return stripped.map((block, at) => ({
    ...block,
    parts: block.parts.map((part, index) => {
      const kept = [...part.tile.outputs].filter(([tensor]) => !merged.has(tensor));
      if (kept.length === 0 && !sent.has(`${at} ${index}`)) return part;
      const all = bytesOf(graph, part.tile, part.tile.outputs);
      const stays = bytesOf(graph, part.tile, new Map(kept));
      return { ...part, bytesOut: all === 0 ? 0 : part.bytesOut * (1 - stays / all) };
    }),
  }));
}

/** Tensors that a merger needs: read by parts that do not gather themselves, or outputs of the graph. */
function mergedTensors(graph: Graph, blocks: readonly DraftBlock[]): ReadonlySet<string> {
  const merged = new Set(graph.outputs.map(({ name }) => name));
  for (const { entry, parts } of blocks) {
    if (entry !== undefined) continue;
    for (const { tile } of parts) for (const tensor of tile.inputs.keys()) merged.add(tensor);
  }
  return merged;
}

function withOwn(
  graph: Graph,
  part: DraftPart,
  makers: ReadonlyMap<string, readonly Maker[]>,
  sent: Map<string, number>,
): DraftPart {
  const from = new Map<string, DraftStrip>();
  for (const [tensor, region] of part.tile.inputs) {
    for (const maker of makers.get(tensor) ?? []) {
      const common = intersect(maker.region, region);
      if (common === undefined) continue;
      const key = `${maker.block} ${maker.part}`;
      const local = maker.device !== undefined && maker.device === part.devices[0];
      const bytes = local ? 0 : volume(common) * elementOf(graph, part.tile, tensor);
      const before = from.get(key)?.bytes ?? 0;
      from.set(key, { block: maker.block, part: maker.part, bytes: before + bytes });
      sent.set(key, (sent.get(key) ?? 0) + bytes);
    }
  }
  const strips = [...from.values()];
  return { ...part, bytesIn: strips.reduce((sum, { bytes }) => sum + bytes, 0), strips };
}

function elementOf(graph: Graph, { sums }: Tile, name: string): number {
  return elementBytes(graph.tensors.get(sums?.get(name) ?? name)?.dtype ?? 'float32');
}

function bytesOf(graph: Graph, tile: Tile, regions: ReadonlyMap<string, Region>): number {
  let bytes = 0;
  for (const [name, region] of regions) bytes += volume(region) * elementOf(graph, tile, name);
  return bytes;
}
