/** Waits for workers and their profiles. */

import type { ControllerPart } from '../../services/controller/part.ts';

export interface Wait {
  /** Asked whenever a worker or a profile has come. */
  readonly enough: () => boolean;
  /** Longest wait in milliseconds; absent: no end. */
  readonly limitMs?: number;
  readonly signal: AbortSignal;
}

/** Whether there was enough before the limit; rejects with the signal's reason. */
export function untilEnough(
  { controller, profiles }: Pick<ControllerPart, 'controller' | 'profiles'>,
  { enough, limitMs, signal }: Wait,
): Promise<boolean> {
  return new Promise<boolean>((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      for (const undo of undos) undo();
    };
    const look = (): void => {
      const aborted = signal.aborted;
      if (!aborted && !enough()) return;
      end();
      if (aborted) reject(signal.reason);
      else resolve(true);
    };
    const late = (): void => {
      end();
      resolve(false);
    };
    const timer = limitMs === undefined ? undefined : setTimeout(late, limitMs);
    signal.addEventListener('abort', look);
    const undos = [
      controller.onWorker(look),
      profiles.onProfile(look),
      () => signal.removeEventListener('abort', look),
    ];
    look();
  });
}
