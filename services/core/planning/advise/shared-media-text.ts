/** Says which devices share what carries their transfers. */

import type { Fleet, Medium } from '../cost/fleet.ts';
import { namesText } from '../cost/names-text.ts';
import { rateText } from './units.ts';

/** `pi-1..pi-3 share 21 Mbit/s, both ways together`; empty where nobody shares anything. */
export function sharedMediaText({ hub, media, devices }: Fleet): string {
  const linked = devices.filter(({ medium }) => medium !== undefined);
  const texts = [...media.values()].flatMap((medium) => {
    const on = linked.filter((device) => device.medium === medium.name);
    const ofHub = medium.name === hub.medium && on.length === 0;
    const sharing = (ofHub ? linked : on).map(({ id }) => id);
    return sharing.length < 2 ? [] : [sharedText(sharing, medium, ofHub)];
  });
  return texts.join('; ');
}

/** `ofHub`: it is the hub's, beside a link of each device. */
export function sharedText(
  ids: readonly string[],
  { bytesPerMs, duplex }: Pick<Medium, 'bytesPerMs' | 'duplex'>,
  ofHub: boolean,
): string {
  const ways = duplex === 'half' ? ', both ways together' : '';
  return `${namesText(ids)} share ${rateText(bytesPerMs)}${ways}${ofHub ? ' at the hub' : ''}`;
}
