/** What this machine calls itself on the bus. */

import { hostname } from 'node:os';

/** What an id may not have: topics and file names carry it. */
const FORBIDDEN = /[^A-Za-z0-9_.-]/g;
/** Most characters of a device's name in devices.yaml. */
const MOST = 64;

/** The host name as an id, at most `most` characters. */
export function deviceName(most = MOST): string {
  return hostname().replace(FORBIDDEN, '-').slice(0, most) || 'this-machine';
}
