/** A client that speaks bytes: for what a proper MQTT library would never send. */

import { connect, type Socket } from 'node:net';

const string = (text: string) => {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
};

/** Fixed header (MQTT 3.1.1, section 2.2) and body. */
export function packet(first: number, ...body: Buffer[]): Buffer {
  const rest = Buffer.concat(body);
  const length: number[] = [];
  let left = rest.length;
  do {
    length.push((left % 128) | (left >= 128 ? 0x80 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return Buffer.concat([Buffer.from([first, ...length]), rest]);
}

export interface RawWill {
  readonly topic: string;
  readonly retain?: boolean;
}

export const CONNECT = (id: string, will?: RawWill, keepAliveSeconds = 0) =>
  packet(
    0x10,
    string('MQTT'),
    Buffer.from([4, 2 | (will ? 4 : 0) | (will?.retain ? 0x20 : 0), 0, keepAliveSeconds]),
    string(id),
    ...(will ? [string(will.topic), string('gone')] : []),
  );
export const PINGREQ = packet(0xc0);
export const SUBSCRIBE = (filter: string) =>
  packet(0x82, Buffer.from([0, 1]), string(filter), Buffer.from([0]));
export const PUBLISH = (topic: string, payload: Buffer, { retain = false } = {}) =>
  packet(0x30 | (retain ? 1 : 0), string(topic), payload);
/** QoS 1, packet identifier 1. */
export const PUBLISH_1 = (topic: string, payload: Buffer, { retain = false } = {}) =>
  packet(0x32 | (retain ? 1 : 0), string(topic), Buffer.from([0, 1]), payload);

export class RawClient {
  readonly #socket: Socket;
  readonly #ended: Promise<void>;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #arrived: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#ended = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#arrived();
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawClient(socket);
  }

  /** Opens and says CONNECT. */
  static async connected(port: number, id: string, will?: RawWill): Promise<RawClient> {
    const client = await RawClient.open(port);
    client.send(CONNECT(id, will));
    await client.bytes(4);
    return client;
  }

  send(...packets: Buffer[]): void {
    this.#socket.write(Buffer.concat(packets));
  }

  /** The first `count` bytes received, once there are so many. */
  async bytes(count: number): Promise<Buffer> {
    await this.arrived(count);
    return Buffer.concat(this.#chunks, count);
  }

  async arrived(count: number): Promise<void> {
    while (this.#length < count) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  /** Stops reading: what the broker sends piles up. */
  freeze(): void {
    this.#socket.pause();
  }

  thaw(): void {
    this.#socket.resume();
  }

  /** Resolves when the broker has closed the connection. */
  closed(): Promise<void> {
    this.#socket.resume();
    return this.#ended;
  }

  vanish(): void {
    this.#socket.destroy();
  }
}
