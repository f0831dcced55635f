/** What a byte on the wire costs the processor: laying out, checksums, the socket, putting together. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { median } from '../../core/runtime/quantile.ts';
import { Assembler } from '../../core/wire/assembler.ts';
import { encodeMessage, parts } from '../../core/wire/encode.ts';
import type { Meter } from './meter.ts';

const BYTES = 1 << 20;
const ROUNDS = 9;
const MESSAGE_BYTES = 1 << 20;

/** Milliseconds per byte received or sent: half of both, over a socket of this machine. */
export async function measureByteMs(meter: Meter): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const out = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [into] = (await once(server, 'connection')) as [Socket];
  try {
    const bytes = new Uint8Array(BYTES).map((_, at) => at * 31);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const started = meter.now();
      await passMessage(bytes, out, into);
      times.push(meter.now() - started);
    }
    return (median(times) * meter.factor) / BYTES / 2;
  } finally {
    out.destroy();
    into.destroy();
    server.close();
  }
}

async function passMessage(bytes: Uint8Array, out: Socket, into: Socket): Promise<void> {
  const tensor = { name: 'x', dtype: 'uint8', shape: [BYTES], bytes } as const;
  const message = encodeMessage({ meta: { kind: 'data' }, tensors: [tensor] });
  const assembler = new Assembler({ now: () => performance.now(), onReject: () => {} });
  for (const part of parts(message, MESSAGE_BYTES)) {
    out.write(part);
    assembler.accept('profile', await receive(into, part.byteLength));
  }
}

function receive(socket: Socket, bytes: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(bytes);
  let filled = 0;
  return new Promise((resolve) => {
    const take = (chunk: Buffer): void => {
      filled += chunk.copy(whole, filled);
      if (filled < bytes) return;
      socket.off('data', take);
      resolve(whole);
    };
    socket.on('data', take);
  });
}
