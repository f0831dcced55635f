/** What the parts of a plan make, so that those after them know where it is: kept regions, partial sums, strips. */

import type { Graph } from '../../graph/types.ts';
import { elementBytes } from '../../tensor/dtype.ts';
import { intersect, type Region, volume, whole } from '../../tensor/region.ts';
import { readingSums } from '../../tiling/partial.ts';
import type { FusedBlock, Tile } from '../../tiling/types.ts';
import { type DraftBlock, type DraftPart, type DraftStrip, SUPPLIED } from '../draft.ts';
import { sentBytes, type WireForm } from './wire-form.ts';

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

/** What decides how strips travel. */
export interface StripRules {
  /** How every tensor is written. */
  readonly form: WireForm;
  /** Devices that others reach without the hub. */
  readonly endpoints: ReadonlySet<string>;
}

/**
 * Blocks of a plan with kept tiles, with what each part that gathers itself waits for; what only such parts read is not
 * sent to the merger. Bytes of all parts are those that travel then.
 */
export function withStrips(graph: Graph, blocks: readonly DraftBlock[], rules: StripRules): DraftBlock[] {
  if (blocks.every(({ entry }) => entry === undefined)) return [...blocks];
  const strips = new Strips(graph, blocks, rules);
  return blocks.map((block) => ({ ...block, parts: block.parts.map((part) => strips.of(block, part)) }));
}

/** Bytes as they travel, and those of them that are deflated or made pictures of, before that. */
interface Sent {
  bytes: number;
  packed: number;
}

class Strips {
  readonly #graph: Graph;
  readonly #rules: StripRules;
  readonly #makers = new Map<string, Maker[]>();
  /** Tensors that a merger needs: read by parts that do not gather themselves, or outputs of the graph. */
  readonly #merged: ReadonlySet<string>;

  constructor(graph: Graph, blocks: readonly DraftBlock[], rules: StripRules) {
    this.#graph = graph;
    this.#rules = rules;
    this.#merged = mergedTensors(graph, blocks);
    for (const { name, shape } of graph.inputs)
      this.#makers.set(name, [{ block: SUPPLIED, part: 0, device: undefined, region: whole(shape) }]);
    for (const [block, { parts }] of blocks.entries()) {
      for (const [part, { tile, devices }] of parts.entries()) {
        for (const [tensor, region] of tile.outputs) {
          const list = this.#makers.get(tensor) ?? [];
          list.push({ block, part, device: devices[0], region });
          this.#makers.set(tensor, list);
        }
      }
    }
  }

  of({ entry }: DraftBlock, part: DraftPart): DraftPart {
    const { tile } = part;
    const out = this.#all(tile, new Map([...tile.outputs].filter(([name]) => this.#merged.has(name))), true);
    const sent = { bytesOut: out.bytes, packedOut: out.packed };
    if (entry !== undefined) return { ...part, ...this.#own(part), ...sent };
    if (tile.sums === undefined) return { ...part, ...sent };
    const into = this.#all(tile, tile.inputs, false);
    return { ...part, ...sent, bytesIn: into.bytes, packedIn: into.packed };
  }

  /** What a part that gathers itself gets from whom. */
  #own({ tile, devices }: DraftPart): Pick<DraftPart, 'bytesIn' | 'packedIn' | 'strips'> {
    const device = devices[0] as string;
    const direct = this.#rules.endpoints.has(device);
    const from = new Map<string, DraftStrip>();
    for (const [tensor, region] of tile.inputs) {
      for (const maker of this.#makers.get(tensor) ?? []) {
        const common = intersect(maker.region, region);
        if (common === undefined) continue;
        const { block, part } = maker;
        const key = `${block} ${part}`;
        const before = from.get(key);
        const local = maker.device === device;
        const more = local ? { bytes: 0, packed: 0 } : this.#sent(tile, tensor, common, block !== SUPPLIED);
        const packed = (before?.packed ?? 0) + more.packed;
        from.set(key, {
          block,
          part,
          bytes: (before?.bytes ?? 0) + more.bytes,
          ...(packed > 0 ? { packed } : {}),
          ...(direct && !local && block !== SUPPLIED ? { direct: true as const } : {}),
        });
      }
    }
    const strips = [...from.values()];
    return {
      bytesIn: strips.reduce((sum, { bytes }) => sum + bytes, 0),
      packedIn: strips.reduce((sum, { packed = 0 }) => sum + packed, 0),
      strips,
    };
  }

  #all(tile: Tile, regions: ReadonlyMap<string, Region>, made: boolean): Sent {
    const all = { bytes: 0, packed: 0 };
    for (const [name, region] of regions) {
      const { bytes, packed } = this.#sent(tile, name, region, made);
      all.bytes += bytes;
      all.packed += packed;
    }
    return all;
  }

  /** A region as it is sent by who `made` it, or else by the splitter or the merger. */
  #sent({ sums }: Tile, name: string, region: Region, made: boolean): Sent {
    const tensor = sums?.get(name) ?? name;
    const plain = volume(region) * elementBytes(this.#graph.tensors.get(tensor)?.dtype ?? 'float32');
    return sentBytes(this.#rules.form.of(tensor), plain, made);
  }
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
