/** A service as a process: from its start to the signal that ends it. */

import { asTilepipeError, EXIT } from './errors.ts';
import type { Log } from './log.ts';

export interface Runnable {
  start(): Promise<void>;
  /** Drains and stops. */
  stop(reason?: string): Promise<void>;
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Starts, waits for SIGTERM or SIGINT, drains and exits 0. A second signal exits at once with code 1: work was
 * given up. A failed start logs the error with what to do, and exits with the code of the error table.
 */
export async function runService(service: Runnable, log: Log): Promise<never> {
  let signalled: (signal: string) => void;
  const signal = new Promise<string>((resolve) => {
    signalled = resolve;
  });
  let count = 0;
  const onSignal = (name: string) => {
    if (++count > 1) process.exit(EXIT.checkFailed);
    signalled(name);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  const starting = service.start();
  // After a signal nobody waits for the start any more, and stopping may well make it fail.
  starting.catch(() => undefined);
  try {
    // A signal during a long start (a download, a broker that is away) need not wait for its end.
    await Promise.race([starting, signal]);
    await service.stop(await signal);
  } catch (caught) {
    const error = asTilepipeError(caught);
    log.error({ code: error.code, fix: error.fix }, error.message);
    process.exit(error.exit);
  }
  process.exit(EXIT.ok);
}
