/** The kinds of objects in the drawn scene, as signed distances in units of the object's radius. */

/** The detector's classes, in the order of its class logits. */
export const LABELS = ['ball', 'box', 'triangle', 'star', 'ring'] as const;
export type Label = (typeof LABELS)[number];

/** Side ratio of boxes and thickness of rings: one number, so that every kind varies in the same way. */
export const FORM = { from: 0.6, to: 1 } as const;

/** Radius of the star's inner corners over that of its points. */
const STAR_WAIST = 0.46;
const STAR_SECTOR = (2 * Math.PI) / 5;
const WAIST_X = STAR_WAIST * Math.cos(STAR_SECTOR / 2);
const WAIST_Y = STAR_WAIST * Math.sin(STAR_SECTOR / 2);
const EDGE = Math.hypot(1 - WAIST_X, WAIST_Y);

/**
 * Distance of a point to the outline, negative inside. Nothing is inside farther than 1.11 from the centre.
 * @param x,y the point in the object's own frame, radii from its centre
 * @param form within `FORM`
 */
export function distance(label: Label, x: number, y: number, form: number): number {
  switch (label) {
    case 'ball':
      return Math.sqrt(x * x + y * y) - 1;
    case 'ring': {
      const half = 0.28 * form;
      return Math.abs(Math.sqrt(x * x + y * y) - (1 - half)) - half;
    }
    case 'box':
      return Math.max(Math.abs(x) - 0.78, Math.abs(y) - 0.78 * form);
    case 'triangle':
      // Equilateral: three half-planes at the inradius, half of the circumradius.
      return Math.max(-x, 0.5 * x + 0.8660254 * y, 0.5 * x - 0.8660254 * y) - 0.5;
    case 'star': {
      // Folded into half a sector, the outline is the one edge from a point (1, 0) to the waist.
      const turn = Math.atan2(y, x);
      const folded = Math.abs(turn - STAR_SECTOR * Math.round(turn / STAR_SECTOR));
      const r = Math.sqrt(x * x + y * y);
      return ((r * Math.cos(folded) - 1) * WAIST_Y + r * Math.sin(folded) * (1 - WAIST_X)) / EDGE;
    }
  }
}
