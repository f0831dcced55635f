/** One line for one result. */

import { validator } from '../services/core/runtime/validate.ts';
import { type Result, resultSchema } from '../services/core/schema/generated/result.ts';
import { ms } from './output.ts';

const SHOWN = 6;

const check = validator<Result>(resultSchema, 'wire-invalid', { firstOnly: true });

/** The result in a message; anybody may publish there, and what is no result is undefined. */
export function readResult(payload: Buffer): Result | undefined {
  try {
    return check(JSON.parse(payload.toString('utf8')));
  } catch {
    return undefined;
  }
}

/** `garden/door frame a1-7  2 objects: person .91, dog .84  (48 ms)` */
export function resultLine(result: Result): string {
  const where = `${result.pipeline}/${result.source ?? '-'} ${result.frame}`;
  if (!result.ok) return `${where}  ${result.error?.code}: ${result.error?.message}`;
  return `${where}  ${answerText(result)}  (${ms(result.timing?.totalMs ?? 0)})`;
}

/** The answer in words. */
export function answerText({ classes, detections, tensors }: Result): string {
  if (classes !== undefined) return classes.map(({ label, score }) => `${label} ${share(score)}`).join(', ');
  if (detections !== undefined) {
    const shown = detections.slice(0, SHOWN).map(({ label, score }) => `${label} ${share(score)}`);
    const more = detections.length > SHOWN ? [`and ${detections.length - SHOWN} more`] : [];
    const count = `${detections.length} ${detections.length === 1 ? 'object' : 'objects'}`;
    return detections.length === 0 ? 'nothing' : `${count}: ${[...shown, ...more].join(', ')}`;
  }
  return (tensors ?? []).map(({ name, shape }) => `${name} ${shape.join('x')}`).join(', ');
}

function share(score: number): string {
  return score.toFixed(2).replace(/^0/, '');
}
