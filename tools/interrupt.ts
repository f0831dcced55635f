/** SIGINT and SIGTERM for commands that end by themselves: what they started is stopped before they go. */

import { TilepipeError } from '../services/core/runtime/errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Interruption {
  /** The work's outcome, or `interrupted` as soon as a signal comes, even one that came before. */
  race<T>(work: Promise<T>): Promise<T>;
  /** Gives the signals back. */
  end(): void;
}

/** Takes the first signal; a second one ends the process at once, as if nobody had listened. */
export function interruption(): Interruption {
  let take: (name: NodeJS.Signals) => void = () => {};
  const signalled = new Promise<never>((_, reject) => {
    take = (name) => {
      end();
      reject(new TilepipeError('interrupted', `stopped by ${name} before it was done`));
    };
  });
  // A signal that comes when nothing is raced is heard by the next race.
  signalled.catch(() => undefined);
  const end = (): void => {
    for (const name of SIGNALS) process.off(name, take);
  };
  for (const name of SIGNALS) process.on(name, take);
  return { race: (work) => Promise.race([work, signalled]), end };
}
