/** Sends a laid-out message: in as many parts as the bus wants, one after the other, so that the socket's pace is ours. */

import type { Bus } from '../bus/bus.ts';
import { type LaidMessage, parts } from '../wire/encode.ts';

/** Publishes to one inbox (QoS 0); rejects with `broker-unreachable` while the connection is away. */
export async function sendMessage(bus: Bus, topic: string, message: LaidMessage): Promise<void> {
  for (const part of parts(message, bus.maxMessageBytes)) await bus.publish(topic, part);
}
