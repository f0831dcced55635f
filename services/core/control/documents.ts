/** The retained documents of the control channel, from bytes to checked values. */

import { planDigest, validatePlan } from '../flow/plan-index.ts';
import { documentReader } from '../runtime/document-reader.ts';
import { TilepipeError } from '../runtime/errors.ts';
import { validator } from '../runtime/validate.ts';
import { type Announcement, announcementSchema } from '../schema/generated/announcement.ts';
import { type LinkGlance, linkGlanceSchema } from '../schema/generated/link-glance.ts';
import { type LinkRound, linkRoundSchema } from '../schema/generated/link-round.ts';
import type { Plan } from '../schema/generated/plan.ts';
import { settle } from '../vision/settings.ts';

const checkAnnouncement = validator<Announcement>(announcementSchema, 'plan-invalid', {
  what: 'announcement',
  firstOnly: true,
});

/** An announcement whose plan is whole and has the digest it claims; throws `plan-invalid` or `config-invalid`. */
export function parseAnnouncement(payload: Buffer): Announcement {
  const document = parseJson(payload);
  // Of the plan as it came: the check fills in defaults, which are not part of its identity.
  const given = document as Partial<Announcement> | null;
  const digest = planDigest(given?.plan as Plan);
  const fallbackDigest = planDigest(given?.fallback?.plan as Plan);
  const announcement = checkAnnouncement(document);
  checkPlan(announcement, digest);
  const { plan, fallback } = announcement;
  if (fallback !== undefined) {
    checkPlan(fallback, fallbackDigest);
    if (fallback.digest === digest || !sameEnds(plan, fallback.plan))
      throw new TilepipeError(
        'plan-invalid',
        'fallback: it must be another plan of the same pipeline, with the same inputs and outputs',
      );
  }
  // Roles read the settings while frames run: what they could not read is refused here, once.
  settle(announcement.settings);
  return announcement;
}

function checkPlan({ plan, digest }: Pick<Announcement, 'plan' | 'digest'>, actual: string): void {
  validatePlan(plan);
  if (digest !== actual)
    throw new TilepipeError(
      'plan-invalid',
      `the plan's digest is ${actual}, the announcement says ${digest}`,
    );
}

/** Whether frames of one plan can go on with the other, and be answered in the same way. */
function sameEnds(a: Plan, b: Plan): boolean {
  const ends = ({ pipeline, inputs, outputs, tensors }: Plan): string =>
    JSON.stringify([
      pipeline,
      [inputs, outputs].map((names) =>
        names.map((name) => [name, tensors[name]?.dtype, tensors[name]?.shape]),
      ),
    ]);
  return ends(a) === ends(b);
}

/** Ids of 32 devices fit. */
const MOST_ROUND_BYTES = 4_000;

/** A request to measure links, or undefined. */
export const parseLinkRound = documentReader<LinkRound>(linkRoundSchema, {
  what: 'link round',
  mostBytes: MOST_ROUND_BYTES,
});

const MOST_GLANCE_BYTES = 200;

/** A request for a quick look at a link, or the answer, or undefined. */
export const parseLinkGlance = documentReader<LinkGlance>(linkGlanceSchema, {
  what: 'link glance',
  mostBytes: MOST_GLANCE_BYTES,
});

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch (error) {
    throw new TilepipeError('plan-invalid', 'not JSON', { cause: error });
  }
}
