import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../../services/core/runtime/log.ts';
import { ErrorResults } from '../../services/splitter/error-results.ts';
import { Inbox } from '../support/inbox.ts';
import { Local } from '../support/local.ts';

let local: Local;

beforeEach(async () => {
  local = new Local();
  await local.start();
});
afterEach(async () => {
  await local.stop();
});

test('an error that no topic can carry is logged, thrown never, and holds up no other', async () => {
  const lines: string[] = [];
  const results = await Inbox.on(local.bus, 'tilepipe/result/#', { qos: 1 });
  const errors = new ErrorResults({
    control: local.bus,
    topics: local.channels.topics,
    log: createLog('splitter', { level: 'error', destination: { write: (line) => void lines.push(line) } }),
    taskOf: () => 'tensors',
  });
  errors.publish('garden', { id: 'f0', source: 'front door', sequence: 0 }, 'frame-deadline', 'too late');
  errors.publish('garden', { id: 'f1', source: 'door', sequence: 1 }, 'frame-deadline', 'too late');
  await errors.flush(10_000);
  const [message] = await results.have(1);
  expect(JSON.parse(String(message?.payload))).toMatchObject({
    frame: 'f1',
    ok: false,
    error: { code: 'frame-deadline' },
  });
  expect(lines.length).toBe(1);
  expect(JSON.parse(String(lines[0]))).toMatchObject({ frame: 'f0', code: 'config-invalid' });
});
