/** A plan's blocks for people: `12 nodes as 4 tiles, 30 nodes whole`. */

import type { PreparedPlan } from '../../../services/controller/prepare.ts';

export function planText({ plan }: PreparedPlan): string {
  return plan.blocks
    .map(({ id, kind, nodes }) => {
      const tasks = plan.tasks.filter(({ kind: what, block }) => what === 'run' && block === id);
      return `${nodes} nodes ${kind === 'whole' ? 'whole' : `as ${tasks.length} ${kind}s`}`;
    })
    .join(', ');
}
