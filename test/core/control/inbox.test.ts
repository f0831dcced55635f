/** A data topic: parts in, whole messages out, everything counted. */

import { expect, test, vi } from 'vitest';
import type { Bus, Incoming } from '../../../services/core/bus/bus.ts';
import { Inbox } from '../../../services/core/control/inbox.ts';
import { pictureOf } from '../../../services/core/control/picture-codec.ts';
import { sendMessage } from '../../../services/core/control/send.ts';
import { createLog } from '../../../services/core/runtime/log.ts';
import { encodeMessage, parts } from '../../../services/core/wire/encode.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { Local } from '../../support/local.ts';
import { floatTensor } from '../../support/tensors.ts';

test('messages are put together from their parts, and what is none is counted by its reason', async () => {
  const local = new Local();
  await local.start();
  const { data } = local.channels;
  const lines: { reason: string }[] = [];
  const came: [task: string | undefined, bytes: number][] = [];
  const inbox = new Inbox({
    data,
    topic: 'box',
    log: createLog('test', {
      level: 'warn',
      destination: { write: (line) => void lines.push(JSON.parse(line)) },
    }),
    handle: ({ meta }, bytes) => came.push([meta.task, bytes]),
  });
  await inbox.start();
  expect(inbox.heard).toBe(0);
  const tensor = floatTensor('x', [1, 1, 64, 64], new Float32Array(4096));
  const message = encodeMessage({ meta: { kind: 'data', task: 'large' }, tensors: [tensor] });
  let sent = 0;
  for (const part of parts(message, 5_000)) {
    await data.publish('box', part);
    sent++;
  }
  await data.publish('box', Buffer.from('no message'));
  await data.publish('elsewhere', Buffer.from('no message'));
  await sendMessage(data, 'box', encodeMessage({ meta: { kind: 'done', task: 'small' }, tensors: [] }));
  await expect
    .poll(() => came)
    .toEqual([
      ['large', 16_384],
      ['small', 0],
    ]);
  expect(inbox.heard).toBe(sent + 2);
  expect(lines.map(({ reason }) => reason)).toEqual(['too-short']);
  expect(inbox.counters()).toMatchObject({ 'inbox.messages': 2, 'inbox.rejected.too-short': 1 });
  await inbox.stop();
  await data.publish('box', Buffer.from('late'));
  expect(lines.length).toBe(1);
  await local.stop();
});

test('pictures are read before a message is handed on; one that cannot be is counted', async () => {
  const local = new Local();
  await local.start();
  const { data } = local.channels;
  const came: TensorData[] = [];
  const log = createLog('test', { level: 'silent' });
  const said = vi.spyOn(log, 'error');
  const inbox = new Inbox({
    data,
    topic: 'box',
    log,
    copies: true,
    pictures: true,
    handle: ({ tensors }) => {
      came.push(...tensors);
      throw new Error('of the handler');
    },
  });
  await inbox.start();
  const shape = [1, 4, 5, 3];
  const pixels = Uint8Array.from({ length: 60 }, (_, i) => i * 4);
  const file = (await pictureOf(pixels, shape, 'png')) as Buffer;
  for (const bytes of [file.subarray(0, 30), file]) {
    const meta = { kind: 'task', codecs: { x: 'png' }, packed: { x: { dtype: 'U8', shape } } } as const;
    const tensors = [{ name: 'x', dtype: 'uint8', shape: [bytes.length], bytes }] as const;
    await sendMessage(data, 'box', encodeMessage({ meta, tensors }));
  }
  await expect.poll(() => came.length).toBe(1);
  expect(came).toMatchObject([{ name: 'x', dtype: 'uint8', shape }]);
  expect([...(came[0] as TensorData).bytes]).toEqual([...pixels]);
  await expect.poll(() => inbox.counters()['inbox.rejected.codec']).toBe(1);
  // As the bus does with messages without pictures: it is said, and nothing ends.
  expect(said).toHaveBeenCalledOnce();
  await inbox.stop();
  await local.stop();
});

test('pictures are refused where none are expected, and no more are read at once than fit into memory', async () => {
  const log = createLog('test', { level: 'silent' });
  // Claims 150 MB; what it is is seen when it is read.
  const shape = [1, 7_000, 7_000, 3];
  const meta = { kind: 'task', codecs: { x: 'png' }, packed: { x: { dtype: 'U8', shape } } } as const;
  const tensors = [{ name: 'x', dtype: 'uint8', shape: [100], bytes: new Uint8Array(100) }] as const;
  const [payload] = parts(encodeMessage({ meta, tensors }), 5_000) as [Buffer];
  const counters = async (pictures: boolean): Promise<() => Record<string, number>> => {
    let take = (_: Incoming): void => {};
    const data = {
      subscribe: async (_: string, handler: typeof take) => {
        take = handler;
        return async () => {};
      },
    } as unknown as Bus;
    const inbox = new Inbox({ data, topic: 'box', log, pictures, handle: () => {} });
    await inbox.start();
    // While the first is being read.
    for (let i = 0; i < 3; i++) take({ topic: 'box', payload, retained: false });
    return () => inbox.counters();
  };
  expect((await counters(false))()).toMatchObject({ 'inbox.rejected.codec': 3 });
  const reading = await counters(true);
  expect(reading()).toMatchObject({ 'inbox.messages': 3, 'inbox.pictures.dropped': 2 });
  await expect.poll(() => reading()['inbox.rejected.codec']).toBe(1);
});
