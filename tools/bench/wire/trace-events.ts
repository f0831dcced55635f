/** What a traced process writes down, one line of JSON for each: times are `machineMs`. */

export const TRACE_FOLDER = 'TILEPIPE_TRACE_FOLDER';

export type TraceEvent =
  /** A whole message arrived; `since` is when its first part did. */
  | {
      readonly what: 'in';
      readonly at: number;
      readonly since: number;
      readonly kind: string;
      readonly from: string;
      readonly task: string;
      readonly frame: string;
      readonly bytes: number;
    }
  /** A message was handed to the connection, in all its parts, which took until `until`. */
  | {
      readonly what: 'out';
      readonly at: number;
      readonly until: number;
      readonly kind: string;
      readonly to: string;
      readonly task: string;
      readonly bytes: number;
    }
  /** A task ran: all its inputs were there at `at`, the executor had it from `started` to `ended`. */
  | {
      readonly what: 'task';
      readonly at: number;
      readonly started: number;
      readonly ended: number;
      readonly task: string;
    }
  /** The executor was asked at `at` and answered at `until`; it computed for `computeMs`. */
  | { readonly what: 'run'; readonly at: number; readonly until: number; readonly computeMs: number }
  /** The broker took a message from a client, or from its own process. */
  | { readonly what: 'broker'; readonly at: number; readonly topic: string; readonly bytes: number }
  /** Nothing else could happen in the process meanwhile. */
  | { readonly what: 'blocked'; readonly at: number; readonly until: number };
