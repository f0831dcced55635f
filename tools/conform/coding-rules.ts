/** Rules of what comes and goes by codecs, and of strips from worker to worker. */

import { copyRegion } from '../../services/core/tensor/copy.ts';
import { type Region, sameRegion, whole } from '../../services/core/tensor/region.ts';
import { isPictureCodec } from '../../services/core/wire/codecs.ts';
import { decodeBody } from '../../services/core/wire/decode.ts';
import type { LaidMessage } from '../../services/core/wire/encode.ts';
import type { Message, MessageMeta, TensorData } from '../../services/core/wire/message.ts';
import {
  belongsTo,
  checkNumbers,
  checkStamps,
  dataFor,
  fixtureOf,
  need,
  onlyPiece,
  stillServes,
  TOLERANCE,
  worstOff,
} from './answers.ts';
import { type Examiner, regionOf } from './examiner.ts';
import { expected, type Fixture, SMALL, STRIPS } from './fixture.ts';
import type { Rule } from './rule.ts';

/** The frame with what a message says in its place. */
function frameOf(examiner: Examiner, fixture: Fixture, message: LaidMessage): Float32Array {
  const [tensor] = decodeBody(message.body).tensors as [TensorData];
  const region = regionOf(fixture, message.meta.task ?? '', 'inputs');
  const all = whole(fixture.announcement.plan.tensors.x?.shape ?? []);
  const frame = examiner.frame.slice();
  copyRegion(tensor.bytes, region, new Uint8Array(frame.buffer), all, region, 4);
  return frame;
}

/** Transfers of the strips, in the order of the plan. */
function stripsOf({ announcement }: Fixture): readonly { region: Region; codec?: string | undefined }[] {
  return announcement.plan.transfers.filter(({ from }) => from === STRIPS);
}

/** What the neighbour has got of a task, strip by strip, once there are `count` messages of each. */
async function stripsFor(
  examiner: Examiner,
  fixture: Fixture,
  sent: MessageMeta,
  count: number,
): Promise<Message[]> {
  const found: Message[] = [];
  for (const { region } of stripsOf(fixture)) {
    const fits = ({ meta }: Message) =>
      meta.kind === 'data' && belongsTo(meta, sent) && sameRegion(meta.regions?.y ?? [], region);
    const last = (message: Message) =>
      fits(message) && examiner.neighbour.items.filter(fits).indexOf(message) === count - 1;
    found.push(await examiner.neighbour.first(`strip ${JSON.stringify(region)}`, last, examiner.answerMs));
  }
  return found;
}

function checkStrip(examiner: Examiner, fixture: Fixture, strip: Message, region: Region): number {
  const tensor = onlyPiece(strip, region);
  const step = strip.meta.scales?.y?.[0] ?? 0;
  const worst = worstOff(tensor, expected(examiner.frame, fixture.weights, region));
  need(worst <= TOLERANCE + step / 2, `the numbers of a strip are off by ${worst}`);
  return worst;
}

export const CODING_RULES: readonly Rule[] = [
  {
    id: 'T10',
    title: 'takes tensors by every codec its status lists, whatever the plan says',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const seen: string[] = [];
      const listed = [...examiner.codecs].filter((codec) => codec !== 'raw' && !isPictureCodec(codec));
      for (const codec of listed) {
        const message = examiner.codedTask(fixture, SMALL, codec);
        await examiner.send(examiner.payloads(message));
        const answer = await dataFor(examiner, message.meta);
        checkNumbers(examiner, fixture, answer, frameOf(examiner, fixture, message));
        seen.push(codec);
      }
      return seen.join(', ') || 'its status lists none';
    },
  },
  {
    id: 'S1',
    title: 'sends strips straight to the worker that gathers them, each by its codec, and says done',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const message = examiner.task(fixture, STRIPS);
      await examiner.send(examiner.payloads(message));
      const strips = stripsOf(fixture);
      const messages = await stripsFor(examiner, fixture, message.meta, 1);
      const seen = messages.map((strip, i) => {
        const { region, codec = 'raw' } = strips[i] as (typeof strips)[number];
        const came = strip.meta.codecs?.y ?? 'raw';
        need(came === codec, `a strip came as ${came}, not as ${codec}`);
        return `${codec} ${checkStrip(examiner, fixture, strip, region).toExponential(1)}`;
      });
      const wanted = ({ meta }: Message) => meta.kind === 'done' && belongsTo(meta, message.meta);
      checkStamps((await examiner.splitter.first('done', wanted, examiner.answerMs)).meta);
      return seen.join(', ');
    },
  },
  {
    id: 'S2',
    title: 'where it says that it keeps strips, sends them again to the worker that wants them',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      if (examiner.statuses.items.at(-1)?.keepsStrips !== true) return 'it keeps none';
      const message = examiner.task(fixture, STRIPS);
      const { meta } = message;
      await examiner.send(examiner.payloads(message));
      await stripsFor(examiner, fixture, meta, 1);
      for (const nonsense of [{ tasks: 7 }, [], 'strips', { tasks: ['no-such-task'] }])
        await examiner.send(examiner.payloads(examiner.want(fixture, meta, nonsense)));
      await examiner.send(
        examiner.payloads(examiner.want(fixture, { ...meta, frame: 'no-such' }, { tasks: [STRIPS] })),
      );
      await examiner.send(examiner.payloads(examiner.want(fixture, meta, { tasks: [STRIPS] })));
      const again = await stripsFor(examiner, fixture, meta, 2);
      for (const [i, { region }] of stripsOf(fixture).entries())
        checkStrip(examiner, fixture, again[i] as Message, region);
      await stillServes(examiner, findings);
      const came = examiner.neighbour.items.filter((each) => belongsTo(each.meta, meta)).length;
      need(came === 2 * again.length, `${came} strips came, not ${2 * again.length}`);
      return `${again.length} strips again`;
    },
  },
];
