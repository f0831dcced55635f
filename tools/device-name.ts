/** What machines are called: this one on the bus, and what none of them may be. */

import { hostname } from 'node:os';
import { type ErrorCode, TilepipeError } from '../services/core/runtime/errors.ts';

/** What an id may not have: topics and file names carry it. */
const FORBIDDEN = /[^A-Za-z0-9_.-]/g;
/** Most characters of a device's name in devices.yaml. */
const MOST = 64;
/** Under this name predictions and simulations speak of the machine with broker, splitter and merger. */
const HUB = 'hub';

/** The host name as an id, at most `most` characters; a host of the hub's name gets one of its own. */
export function deviceName(most = MOST): string {
  const name = hostname().replace(FORBIDDEN, '-').slice(0, most) || 'this-machine';
  return name === HUB ? `${name}-machine` : name;
}

/** The name of a device, if it may have it; throws `code` where it is the hub's. */
export function checkedName(name: string, code: ErrorCode): string {
  if (name !== HUB) return name;
  throw new TilepipeError(
    code,
    `no device can be called "${HUB}": that is the machine with broker, splitter and merger`,
  );
}
