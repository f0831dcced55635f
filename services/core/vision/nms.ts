/** Boxes a head found, in pixels of the network's input, and the choice among those that overlap. */

export interface Candidate {
  readonly score: number;
  /** Class, as numbered at the model's output. */
  readonly index: number;
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** Suppression is quadratic: a low threshold on a large network must not stall the merger. */
const MOST_CANDIDATES = 3000;

/** Collects candidates; drops what is not a box: NaN, infinite, empty or inside out. */
export class Candidates {
  readonly #found: Candidate[] = [];

  add(score: number, index: number, x0: number, y0: number, x1: number, y1: number): void {
    if (!(x1 > x0 && y1 > y0 && Number.isFinite(score) && Number.isFinite(x1 - x0 + (y1 - y0)))) return;
    this.#found.push({ score, index, x0, y0, x1, y1 });
  }

  addCentred(score: number, index: number, x: number, y: number, width: number, height: number): void {
    this.add(score, index, x - width / 2, y - height / 2, x + width / 2, y + height / 2);
  }

  /** The best first; equal scores stay in the order in which they were added. */
  ranked(): Candidate[] {
    return this.#found.toSorted((a, b) => b.score - a.score);
  }
}

/** Intersection over union. */
export function overlap(a: Candidate, b: Candidate): number {
  const width = Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0);
  const height = Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0);
  if (width <= 0 || height <= 0) return 0;
  const common = width * height;
  return common / ((a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - common);
}

/** Greedy non-maximum suppression within each class: `ranked` without those that overlap a better one by more than `iou`. */
export function suppress(ranked: readonly Candidate[], iou: number, most: number): Candidate[] {
  const kept: Candidate[] = [];
  for (const candidate of ranked.slice(0, MOST_CANDIDATES)) {
    if (kept.length >= most) break;
    const hidden = kept.some(
      (better) => better.index === candidate.index && overlap(better, candidate) > iou,
    );
    if (!hidden) kept.push(candidate);
  }
  return kept;
}
