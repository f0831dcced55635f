/** Whether two answers of one frame say the same. */

import type { Detection } from '../../services/core/schema/generated/result.ts';
import type { AnswerBody } from '../../services/core/vision/answer.ts';

/** Of how many statements both answers together make, and how many of them agree. */
export interface Agreement {
  readonly statements: number;
  readonly agreed: number;
}

/** Boxes that overlap by this much, intersection over union, are of the same thing. */
const SAME_BOX = 0.5;

/** Classes: the best one. Detections: each that has a partner of its class and place. Nothing of tensors. */
export function agreement(a: AnswerBody, b: AnswerBody): Agreement {
  if (a.classes !== undefined && b.classes !== undefined) {
    const same = a.classes[0]?.index === b.classes[0]?.index;
    return { statements: 1, agreed: same ? 1 : 0 };
  }
  const [ours, theirs] = [a.detections ?? [], b.detections ?? []];
  return { statements: ours.length + theirs.length, agreed: 2 * partners(ours, theirs) };
}

/** Whether two answers name the same: the best class, or the set of what was detected. */
export function sameLabels(a: AnswerBody, b: AnswerBody): boolean {
  if (a.classes !== undefined && b.classes !== undefined) return a.classes[0]?.index === b.classes[0]?.index;
  const named = ({ detections = [] }: AnswerBody): string =>
    [...new Set(detections.map(({ index }) => index))].sort((x, y) => x - y).join();
  return named(a) === named(b);
}

/** Each takes the partner it overlaps most with, the best scores first. */
function partners(ours: readonly Detection[], theirs: readonly Detection[]): number {
  const left = new Set(theirs);
  for (const mine of ours) {
    let best: { readonly other: Detection; readonly share: number } | undefined;
    for (const other of left) {
      const share = mine.index === other.index ? overlap(mine, other) : 0;
      if (share >= SAME_BOX && share > (best?.share ?? 0)) best = { other, share };
    }
    if (best !== undefined) left.delete(best.other);
  }
  return theirs.length - left.size;
}

function overlap({ box: a }: Detection, { box: b }: Detection): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const common = width * height;
  return common / (a.width * a.height + b.width * b.height - common);
}
