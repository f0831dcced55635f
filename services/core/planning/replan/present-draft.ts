/** What is left of a draft when devices are away. */

import type { Draft } from '../draft.ts';

/** The draft on the devices that are there; undefined where a part has lost all of its own. One without runs anywhere. */
export function presentDraft(draft: Draft, present: ReadonlySet<string>): Draft | undefined {
  let possible = true;
  const blocks = draft.blocks.map((block) => ({
    ...block,
    parts: block.parts.map((part) => {
      const devices = part.devices.filter((id) => present.has(id));
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
