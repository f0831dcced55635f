/**
 * Loaded before a service that is traced (`--import`): notes when messages come and go, when tasks run, and when the
 * event loop stands still, without a line of the services themselves. Lines are written when nothing has happened for a
 * while, so that writing is not part of what is seen.
 */

import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { EmbeddedBroker } from '../../../services/broker/embedded-broker.ts';
import { Policy } from '../../../services/broker/policy.ts';
import { Assembler } from '../../../services/core/wire/assembler.ts';
import { OrtExecutor } from '../../../services/worker/executor/ort.ts';
import { Outbox } from '../../../services/worker/outbox.ts';
import { machineMs } from '../../emulate/hub-messages.ts';
import { TRACE_FOLDER, type TraceEvent } from './trace-events.ts';

const QUIET_MS = 400;
/** The loop is looked at this often; later than that by so much is a stand-still. */
const LOOK_MS = 10;
const STILL_MS = 6;
/** Where the envelope has the number of a message. */
const MESSAGE_ID_AT = 20;
/** Messages whose first part is remembered. */
const MOST_BEGUN = 256;

const folder = process.env[TRACE_FOLDER];
const events: TraceEvent[] = [];
let quiet: NodeJS.Timeout | undefined;

function note(event: TraceEvent): void {
  events.push(event);
  if (quiet === undefined) quiet = setTimeout(write, QUIET_MS).unref();
  else quiet.refresh();
}

function write(): void {
  quiet = undefined;
  const lines = events.splice(0).map((event) => `${JSON.stringify(event)}\n`);
  // Whoever reads them takes the folder away, and services may live a little longer.
  if (folder !== undefined && existsSync(folder))
    appendFileSync(join(folder, `${process.pid}.jsonl`), lines.join(''));
}

/** Milliseconds from a process's own clock to the machine's. */
const offset = machineMs() - performance.now();

if (folder !== undefined && isMainThread) {
  traceMessages();
  traceTasks();
  traceBroker();
  let due = machineMs() + LOOK_MS;
  setInterval(() => {
    const now = machineMs();
    if (now - due > STILL_MS) note({ what: 'blocked', at: due, until: now });
    due = now + LOOK_MS;
  }, LOOK_MS).unref();
}

function traceMessages(): void {
  const begun = new Map<string, number>();
  const { accept } = Assembler.prototype;
  Assembler.prototype.accept = function (from, payload) {
    const at = machineMs();
    const key = payload.length < MESSAGE_ID_AT + 8 ? '' : payload.readBigUInt64LE(MESSAGE_ID_AT).toString();
    if (!begun.has(key)) begun.set(key, at);
    if (begun.size > MOST_BEGUN) begun.delete(begun.keys().next().value as string);
    const message = accept.call(this, from, payload);
    if (message !== undefined) {
      const { kind, sender = '', task = '', frame = '' } = message.meta;
      const bytes = message.tensors.reduce((sum, tensor) => sum + tensor.bytes.byteLength, 0);
      note({
        what: 'in',
        at: machineMs(),
        since: begun.get(key) ?? at,
        kind,
        from: sender,
        task,
        frame,
        bytes,
      });
      begun.delete(key);
    }
    return message;
  };
  const { send } = Outbox.prototype;
  Outbox.prototype.send = async function (topic, message) {
    const at = machineMs();
    const { kind, task = '' } = message.meta;
    const bytes = message.body.byteLength;
    await send.call(this, topic, message);
    note({ what: 'out', at, until: machineMs(), kind, to: topic ?? '', task, bytes });
  };
}

function traceTasks(): void {
  const { deliver } = Outbox.prototype;
  Outbox.prototype.deliver = async function (ended, outputs, stamps, stayed) {
    const { receivedMs, startedMs, endedMs } = stamps;
    const [at, started, done] = [receivedMs + offset, startedMs + offset, endedMs + offset];
    note({ what: 'task', at, started, ended: done, task: ended.task.id });
    await deliver.call(this, ended, outputs, stamps, stayed);
  };
  const { run } = OrtExecutor.prototype;
  OrtExecutor.prototype.run = async function (session, inputs, outputs) {
    const at = machineMs();
    const result = await run.call(this, session, inputs, outputs);
    note({ what: 'run', at, until: machineMs(), computeMs: result.computeMs });
    return result;
  };
}

function traceBroker(): void {
  const allowed = Policy.prototype.publish;
  Policy.prototype.publish = function (topic, bytes, retain) {
    note({ what: 'broker', at: machineMs(), topic, bytes });
    return allowed.call(this, topic, bytes, retain);
  };
  const own = EmbeddedBroker.prototype.publish;
  EmbeddedBroker.prototype.publish = function (topic, payload, flags) {
    note({ what: 'broker', at: machineMs(), topic, bytes: payload.length });
    return own.call(this, topic, payload, flags);
  };
}
