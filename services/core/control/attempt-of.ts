/** Which attempt at a frame a message belongs to. */

import type { MessageMeta } from '../wire/message.ts';

/** As the splitter counts them; 1 where the message does not say. */
export function attemptOf({ extra }: Pick<MessageMeta, 'extra'>): number {
  const { attempt } = (extra ?? {}) as { attempt?: unknown };
  return typeof attempt === 'number' ? attempt : 1;
}

/** What a message of that attempt has to say; nothing of the first. */
export function attemptExtra(attempt = 1): { extra?: { attempt: number } } {
  return attempt > 1 ? { extra: { attempt } } : {};
}
