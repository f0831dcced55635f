/** Where a command listens, as it is written: a port, or an address and a port. */

import { isIP } from 'node:net';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { portNumber } from './numbers.ts';

export interface ListenAddress {
  readonly port: number;
  readonly host?: string;
}

/** Parses `1884`, `10.0.0.7:1884` and `[fd00::7]:1884`; throws `usage`. */
export function listenAddress(text: string): ListenAddress {
  const end = text.lastIndexOf(':');
  if (end < 0) return { port: portNumber(text) };
  const host = text.slice(0, end).replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) === 0)
    throw new TilepipeError('usage', `"${text}" is no place to listen: write <port> or <IP address>:<port>`);
  return { host, port: portNumber(text.slice(end + 1)) };
}
