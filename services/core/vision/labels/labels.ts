/** Names of classes. */

import type { AnswerSettings } from '../settings.ts';
import { COCO } from './coco.ts';
import { IMAGENET } from './imagenet.ts';

const BUILT_IN = { none: [], coco: COCO, imagenet: IMAGENET, face: ['face'] } as const;

/** The label of a class as numbered at the model's output. */
export function labelOf({ labels, background }: AnswerSettings, index: number): string {
  const names: readonly string[] = typeof labels === 'string' ? BUILT_IN[labels] : labels;
  const position = background ? index - 1 : index;
  return names[position] ?? (position < 0 ? 'background' : `class ${index}`);
}
