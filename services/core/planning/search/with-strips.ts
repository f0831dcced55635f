/** Plans with kept tiles: what each part that gathers itself waits for, and the bytes that travel then. */

import type { Graph } from '../../graph/types.ts';
import { elementBytes } from '../../tensor/dtype.ts';
import { commonVolume, type Region, volume, whole } from '../../tensor/region.ts';
import type { Tile } from '../../tiling/types.ts';
import { type DraftBlock, type DraftPart, type DraftStrip, SUPPLIED } from '../draft.ts';
import { sentBytes, type WireForm } from './wire-form.ts';

interface Maker {
  /** The same object for all that one part makes. */
  readonly of: { readonly block: number; readonly part: number };
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

/** What one part sends another; `near`: past the hub. */
interface Gathered extends Sent {
  readonly of: Maker['of'];
  readonly near: boolean;
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
    const frame = { block: SUPPLIED, part: 0 };
    for (const { name, shape } of graph.inputs)
      this.#makers.set(name, [{ of: frame, device: undefined, region: whole(shape) }]);
    for (const [block, { parts }] of blocks.entries()) {
      for (const [part, { tile, devices }] of parts.entries()) {
        const of = { block, part };
        for (const [tensor, region] of tile.outputs) {
          const list = this.#makers.get(tensor);
          const maker: Maker = { of, device: devices[0], region };
          if (list === undefined) this.#makers.set(tensor, [maker]);
          else list.push(maker);
        }
      }
    }
  }

  of({ entry }: DraftBlock, part: DraftPart): DraftPart {
    const { tile } = part;
    const out = this.#all(tile, tile.outputs, true);
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
    const from = new Map<Maker['of'], Gathered>();
    for (const [tensor, region] of tile.inputs) {
      for (const { of, device: maker, region: made } of this.#makers.get(tensor) ?? []) {
        const elements = commonVolume(made, region);
        if (elements === 0) continue;
        let strip = from.get(of);
        if (strip === undefined) {
          strip = { of, near: direct && maker !== device && of.block !== SUPPLIED, bytes: 0, packed: 0 };
          from.set(of, strip);
        }
        if (maker !== device) this.#send(strip, tile, tensor, elements, of.block !== SUPPLIED);
      }
    }
    const all = { bytes: 0, packed: 0 };
    const strips: DraftStrip[] = [];
    for (const { of, near, bytes, packed } of from.values()) {
      all.bytes += bytes;
      all.packed += packed;
      strips.push({
        block: of.block,
        part: of.part,
        bytes,
        ...(packed > 0 ? { packed } : {}),
        ...(near ? { direct: true as const } : {}),
      });
    }
    return { bytesIn: all.bytes, packedIn: all.packed, strips };
  }

  /** Regions that a part is sent by the merger, or what it `made` and the merger needs. */
  #all(tile: Tile, regions: ReadonlyMap<string, Region>, made: boolean): Sent {
    const all = { bytes: 0, packed: 0 };
    for (const [name, region] of regions)
      if (!made || this.#merged.has(name)) this.#send(all, tile, name, volume(region), made);
    return all;
  }

  /** Adds so many elements as they are sent by who `made` them, or else by the splitter or the merger. */
  #send(all: Sent, { sums }: Tile, name: string, elements: number, made: boolean): void {
    const tensor = sums?.get(name) ?? name;
    const plain = elements * elementBytes(this.#graph.tensors.get(tensor)?.dtype ?? 'float32');
    const { bytes, packed } = sentBytes(this.#rules.form.of(tensor), plain, made);
    all.bytes += bytes;
    all.packed += packed;
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
