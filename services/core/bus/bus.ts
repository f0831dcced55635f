/** The seam between roles and the broker: what a role may do on the bus, whatever carries it. */

/**
 * `data` carries tensors, `control` carries plans, status and heartbeats, `intake` camera frames.
 * They are separate connections: a 4 MB tile must not delay a heartbeat, and holding back a frame's
 * acknowledgement must not stop tiles.
 */
export type Channel = 'control' | 'data' | 'intake';

export interface Incoming {
  readonly topic: string;
  /**
   * Valid after the handler returns, unless it was subscribed with `copies`; may be a view into a larger buffer at any
   * byte offset. Read-only, and its ArrayBuffer must not be transferred: in one process the publisher and other
   * subscribers hold the same bytes.
   */
  readonly payload: Buffer;
  readonly retained: boolean;
  /**
   * Present where the subscription acknowledges by hand and the message came with QoS 1: says that it has been
   * dealt with, so that the broker forgets it. Until then a broker that keeps the session delivers it again.
   */
  readonly acknowledge?: () => void;
}

export interface SubscribeOptions {
  readonly qos?: 0 | 1;
  /** `manual`: the handler calls `acknowledge` itself, any time later; other messages keep flowing meanwhile. */
  readonly acknowledge?: 'auto' | 'manual';
  /** The handler is done with the payload when it returns: its memory may be used again. */
  readonly copies?: boolean;
}

export interface PublishOptions {
  readonly qos?: 0 | 1;
  readonly retain?: boolean;
}

export type Handler = (message: Incoming) => void;

/** The retained message the broker publishes when this client vanishes (MQTT 3.1.1, section 3.1.2.5). */
export interface Will {
  readonly topic: string;
  readonly payload: Buffer;
}

export interface BusCounters {
  readonly publishedBytes: number;
  /** Of these, how many no longer wait in this process for the socket to take them; at least. */
  readonly leftBytes: number;
  readonly receivedBytes: number;
  readonly publishedMessages: number;
  readonly receivedMessages: number;
  readonly reconnects: number;
  /** QoS 0 messages dropped because the connection was away. */
  readonly dropped: number;
}

export interface Bus {
  /** Connects; rejects with `broker-unreachable` or `broker-refused`. Later losses are mended by reconnecting. */
  start(): Promise<void>;
  /** Ends cleanly (the Will is not published). */
  stop(): Promise<void>;
  /**
   * Publishes one message no larger than `maxMessageBytes`; larger ones reject with `message-too-large`.
   * The payload is given up: nobody may write to it afterwards. Resolves once handed to the connection (QoS 0) or
   * acknowledged (QoS 1). A QoS 0 message while the connection is away rejects with `broker-unreachable` and is counted;
   * it is never queued.
   */
  publish(topic: string, payload: Buffer, options?: PublishOptions): Promise<void>;
  /**
   * Subscribes an exact topic or a filter; the returned function undoes it. Subscriptions survive reconnects,
   * and one made while the connection is away takes effect when it is back. Rejects with `broker-refused`.
   * A retained message may come more than once, and so may any message that several filters of one bus match.
   */
  subscribe(filter: string, handler: Handler, options?: SubscribeOptions): Promise<() => Promise<void>>;
  /** Called after every (re)connect, for what must be said again (retained status). */
  onUp(listener: () => void): void;
  onDown(listener: () => void): void;
  /** Largest payload this bus publishes; larger bodies travel in parts. */
  readonly maxMessageBytes: number;
  readonly connected: boolean;
  counters(): BusCounters;
}
