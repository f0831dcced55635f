import type { SceneObject } from '../../../tools/demo/scene.ts';
import { LABELS } from '../../../tools/demo/shapes.ts';

/** Below this visible share an object is not expected to be found (nor wrong to find): it is left out. */
const COUNTED_VISIBLE = 0.5;

export interface Found {
  readonly label: string;
  readonly score: number;
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/** Precision, recall and average precision at an IoU of 0.5, by the rules of tools/demo/train/evaluate.py. */
export class Score {
  readonly #verdicts = new Map<string, { score: number; right: boolean }[]>();
  readonly #wanted = new Map<string, number>();

  add(found: readonly Found[], truth: readonly SceneObject[]): void {
    const free = new Set(truth);
    for (const object of truth) {
      if (object.visible >= COUNTED_VISIBLE) this.#wanted.set(object.label, this.#count(object.label) + 1);
    }
    for (const { label, score, box } of found.toSorted((a, b) => b.score - a.score)) {
      const rivals = [...free].filter((object) => object.label === label);
      const best = rivals.toSorted((a, b) => overlap(box, b.box) - overlap(box, a.box))[0];
      const right = best !== undefined && overlap(box, best.box) >= 0.5;
      if (right) free.delete(best);
      if (right && best.visible < COUNTED_VISIBLE) continue;
      const verdicts = this.#verdicts.get(label) ?? [];
      verdicts.push({ score, right });
      this.#verdicts.set(label, verdicts);
    }
  }

  /** Precision and recall of what scores at least `threshold`. */
  at(threshold: number): { precision: number; recall: number; f1: number } {
    const above = [...this.#verdicts.values()].flat().filter(({ score }) => score >= threshold);
    const right = above.filter((verdict) => verdict.right).length;
    const precision = right / above.length;
    const recall = right / this.objects;
    return { precision, recall, f1: (2 * precision * recall) / (precision + recall) };
  }

  /** Mean over the classes of the area under the precision envelope. */
  map50(): number {
    const averages = LABELS.map((label) => {
      const ranked = (this.#verdicts.get(label) ?? []).toSorted((a, b) => b.score - a.score);
      let right = 0;
      const steps = ranked.map((verdict, index) => {
        if (verdict.right) right++;
        return { right: verdict.right, precision: right / (index + 1) };
      });
      let best = 0;
      let area = 0;
      for (const step of steps.toReversed()) {
        best = Math.max(best, step.precision);
        if (step.right) area += best;
      }
      return area / this.#count(label);
    });
    return averages.reduce((sum, average) => sum + average, 0) / averages.length;
  }

  get objects(): number {
    return [...this.#wanted.values()].reduce((sum, count) => sum + count, 0);
  }

  #count(label: string): number {
    return this.#wanted.get(label) ?? 0;
  }
}

/** Intersection over union. */
function overlap(a: Found['box'], [left, top, right, bottom]: SceneObject['box']): number {
  const width = Math.min(a.x + a.width, right) - Math.max(a.x, left);
  const height = Math.min(a.y + a.height, bottom) - Math.max(a.y, top);
  if (width <= 0 || height <= 0) return 0;
  const common = width * height;
  return common / (a.width * a.height + (right - left) * (bottom - top) - common);
}
