/** Announcements of plans that nobody has cut: for whoever only looks at them. */

import type { AnnouncedPlan } from '../../services/core/control/plan-watch.ts';
import { PlanIndex, planDigest } from '../../services/core/flow/plan-index.ts';
import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { settle } from '../../services/core/vision/settings.ts';

export const LIMITS: Announcement['frames'] = {
  maxInFlight: 4,
  maxWaiting: 64,
  deadlineMs: 20_000,
  attempts: 3,
};

export function announcement(
  plan: Plan,
  frames: Partial<Announcement['frames']> = {},
  fallback?: Plan,
): Announcement {
  return {
    digest: planDigest(plan),
    plan,
    ...(fallback === undefined ? {} : { fallback: { digest: planDigest(fallback), plan: fallback } }),
    store: 'http://127.0.0.1:1',
    controller: 'test',
    settings: { ...settle({ answer: { task: 'tensors' } }) },
    frames: { ...LIMITS, ...frames },
  };
}

export function announced(plan: Plan): AnnouncedPlan {
  const document = announcement(plan);
  const { digest } = document;
  return { pipeline: plan.pipeline, digest, announcement: document, index: new PlanIndex(plan) };
}
