/** A dispatcher with a clock in hand, and short forms of items, workers and actions. */

import {
  type DispatchAction,
  Dispatcher,
  type DispatcherOptions,
  type DispatchItem,
  type WorkerView,
} from '../../../services/core/flow/dispatch.ts';

export type Item = DispatchItem<string>;
export type Action = DispatchAction<string>;

export function bench(options: Partial<DispatcherOptions> = {}) {
  let time = 0;
  const dispatcher = new Dispatcher<string>({ now: () => time, ...options });
  return {
    dispatcher,
    advance: (ms: number): Action[] => {
      time += ms;
      return dispatcher.tick();
    },
    now: () => time,
  };
}

export const item = (key: string, more: Partial<Item> = {}): Item => ({
  key,
  frame: key.split('/')[0] as string,
  order: Number((key.split('/')[0] as string).slice(1)) || 0,
  sort: 's',
  plan: 'p',
  model: 'm',
  block: 0,
  tile: 0,
  message: key,
  ...more,
});

export const worker = (id: string, more: Partial<WorkerView> = {}): WorkerView => ({
  id,
  slots: 1,
  holds: () => true,
  ...more,
});

/** Actions as short words: `w1<f0/a#1` is a send, `f0/a!code` a failure. */
export const words = (actions: readonly Action[]): string[] =>
  actions.map((action) =>
    action.type === 'send'
      ? `${action.worker}<${action.item.key}#${action.attempt}`
      : `${action.item.key}!${action.code}`,
  );
