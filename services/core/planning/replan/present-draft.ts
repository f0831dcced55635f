/** What is left of a draft when devices are away. */

import { deflatedCodec } from '../../wire/codecs.ts';
import type { Draft } from '../draft.ts';

/** Whether a device reads messages by a codec. */
export type Understands = (device: string, codec: string) => boolean;

/**
 * The draft on the devices that are there and read what is sent to them; undefined where a part has lost all of its own. One
 * without runs anywhere.
 */
export function presentDraft(
  draft: Draft,
  present: ReadonlySet<string>,
  understands: Understands = () => true,
): Draft | undefined {
  let possible = true;
  const { wire = {}, packed = [] } = draft;
  const codecOf = (tensor: string): string =>
    packed.includes(tensor) ? deflatedCodec(wire[tensor]) : (wire[tensor] ?? 'raw');
  const blocks = draft.blocks.map((block) => ({
    ...block,
    parts: block.parts.map((part) => {
      const codecs = [...part.tile.inputs.keys()].map(codecOf).filter((codec) => codec !== 'raw');
      const reads = (id: string): boolean => codecs.every((codec) => understands(id, codec));
      const devices = part.devices.filter((id) => present.has(id) && reads(id));
      possible &&= devices.length > 0 || part.devices.length === 0;
      return { ...part, devices };
    }),
  }));
  return possible ? { ...draft, blocks } : undefined;
}

/** Whether two drafts come to the same tasks on the same devices, written alike, whatever is expected of them. */
export function sameDraft(a: Draft, b: Draft): boolean {
  return shapeOf(a) === shapeOf(b);
}

function shapeOf({ blocks, codecs = {}, packed = [], wire = {} }: Draft): string {
  const parts = blocks.map(({ block, mode, entry, parts: all }) => [
    mode,
    entry,
    block.nodes.map(({ index }) => index),
    all.map(({ tile, devices }) => [[...tile.outputs], devices]),
  ]);
  return JSON.stringify([parts, sorted(codecs), [...packed].sort(), sorted(wire)]);
}

function sorted(all: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
}
