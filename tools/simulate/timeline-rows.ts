/** Which rows a timeline has: devices, each with its own links below it, and what they share at the head. */

import type { TimelineEvent } from '../../services/core/planning/simulate/types.ts';

export interface Row {
  readonly label: string;
  /** `device`: what it computes; `thin`: a link, or the messages of the hub. */
  readonly look: 'device' | 'thin';
  readonly events: readonly TimelineEvent[];
}

interface Grouped {
  readonly resource: string;
  readonly events: TimelineEvent[];
  readonly devices: Set<string>;
  busyMs: number;
}

/** Rows in order; of the devices the busiest `most`, in order of name, and how many are left out. */
export function timelineRows(
  timeline: readonly TimelineEvent[],
  most: number,
): { readonly rows: Row[]; readonly hidden: number } {
  const groups = [...grouped(timeline)];
  const computing = groups.filter(({ events }) => events[0]?.kind === 'compute');
  const shown = [...computing].sort((a, b) => b.busyMs - a.busyMs).slice(0, most);
  shown.sort((a, b) => a.resource.localeCompare(b.resource, 'en', { numeric: true }));
  const others = groups.filter((group) => !computing.includes(group));
  const thin = ({ resource, events }: Grouped): Row => ({ label: resource, look: 'thin', events });
  const shared = others.filter(({ resource, devices }) => resource === 'hub' || devices.size > 1);
  const rows = shown.flatMap(({ resource, events }): Row[] => {
    const own = others.filter((group) => !shared.includes(group) && group.devices.has(resource));
    return [{ label: resource, look: 'device', events }, ...own.map(thin)];
  });
  return { rows: [...shared.map(thin), ...rows], hidden: computing.length - shown.length };
}

function grouped(timeline: readonly TimelineEvent[]): Iterable<Grouped> {
  const groups = new Map<string, Grouped>();
  for (const event of timeline) {
    const { resource, device, from, to } = event;
    let group = groups.get(resource);
    if (group === undefined) {
      group = { resource, events: [], devices: new Set(), busyMs: 0 };
      groups.set(resource, group);
    }
    group.events.push(event);
    group.devices.add(device);
    group.busyMs += to - from;
  }
  return groups.values();
}
