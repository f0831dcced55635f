/**
 * The log: people's words on a terminal and where TILEPIPE_LOG_FORMAT is `text`, JSON lines otherwise; always on stderr
 * so that stdout is for results.
 */

import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

/** What the program uses of a logger. Frames, tiles, bytes and milliseconds belong in it; payloads never. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'child' | 'level'>;

export interface LogOptions {
  /** TILEPIPE_LOG by default, else 'info'. */
  readonly level?: string | undefined;
  /** Where JSON lines go, instead of stderr. */
  readonly destination?: DestinationStream | undefined;
}

const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const STDERR = 2;

/** A logger for one service: `name` is its role and id. An unknown level falls back to 'info' and says so. */
export function createLog(name: string, options: LogOptions = {}): Log {
  const wanted = options.level ?? process.env.TILEPIPE_LOG ?? 'info';
  const known = LEVELS.includes(wanted);
  const log = pino(
    { name, level: known ? wanted : 'info', base: {} },
    options.destination ?? standardStream(),
  );
  if (!known) log.warn(`TILEPIPE_LOG is "${wanted}"; use one of ${LEVELS.join(', ')}`);
  return log;
}

/** Synchronous, so that the last line before an exit is not lost. */
function standardStream(): DestinationStream {
  const terminal = process.stderr.isTTY === true;
  const { TILEPIPE_LOG_FORMAT: format = terminal ? 'text' : 'json' } = process.env;
  if (format !== 'text') return pino.destination({ dest: STDERR, sync: true });
  return pretty({
    destination: STDERR,
    sync: true,
    ignore: 'pid,hostname',
    translateTime: 'HH:MM:ss.l',
    colorize: terminal,
  });
}
