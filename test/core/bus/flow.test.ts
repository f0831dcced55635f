/** Back-off, back-pressure and windows, as values. */

import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { BackOff } from '../../../services/core/bus/back-off.ts';
import { ConfirmedSender } from '../../../services/core/bus/confirmed-sender.ts';
import { HeldAcknowledgements } from '../../../services/core/bus/held-acknowledgements.ts';
import { SendGate } from '../../../services/core/bus/send-gate.ts';

test('back-off doubles up to its cap, spread over the upper half, and starts over', () => {
  const longest = new BackOff({ firstMs: 100, capMs: 1000, random: () => 1 });
  expect([...Array(6)].map(() => longest.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  const shortest = new BackOff({ firstMs: 100, capMs: 1000, random: () => 0 });
  expect([...Array(3)].map(() => shortest.next())).toEqual([50, 100, 200]);
  shortest.reset();
  expect(shortest.next()).toBe(50);
});

class FakeSocket extends EventEmitter {
  writableLength = 0;
}

test('the gate lets writes wait in order for room, and tells those who wait of a loss', async () => {
  const socket = new FakeSocket();
  const gate = new SendGate(100);
  const written: number[] = [];
  const send = (id: number) =>
    gate.send(() => {
      written.push(id);
      socket.writableLength += 60;
    });
  gate.open(socket);
  const sent = [1, 2, 3, 4, 5].map((id) => send(id));
  expect(written).toEqual([1, 2]);
  socket.writableLength = 0;
  socket.emit('drain');
  expect(written).toEqual([1, 2, 3, 4]);
  const lost = expect(sent[4]).rejects.toThrow('gone');
  expect(gate.close(new Error('gone'))).toBe(1);
  await lost;
  await Promise.all(sent.slice(0, 4));
  expect(written).toEqual([1, 2, 3, 4]);
});

test('no more than the window is on the wire, and while away only so much is kept', async () => {
  const sender = new ConfirmedSender(2, 100);
  const wire: ((error?: Error) => void)[] = [];
  const publish = (bytes: number, away = false) => sender.publish(bytes, away, (done) => wire.push(done));
  const first = publish(40);
  const second = publish(40);
  const third = publish(40, true).then(
    () => 'sent',
    (error) => error.code,
  );
  expect(await third).toBe('broker-unreachable');
  const fourth = publish(10);
  expect(wire).toHaveLength(2);
  wire[0]?.();
  await first;
  expect(wire).toHaveLength(3);
  wire[1]?.(new Error('refused'));
  await expect(second).rejects.toThrow('refused');
  const idle = sender.idle();
  wire[2]?.();
  await Promise.all([fourth, idle]);
});

test('acknowledgements leave in order of arrival, whatever order the work ends in', () => {
  const sent: number[] = [];
  const held = new HeldAcknowledgements((packet) => sent.push(packet.readUInt16BE(2)));
  const [first, second, third] = [held.hold(7), held.hold(300), held.hold(9)];
  second();
  expect(sent).toEqual([]);
  first();
  expect(sent).toEqual([7, 300]);
  held.reset();
  third();
  expect(sent).toEqual([7, 300]);
});
