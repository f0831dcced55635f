/** The identity of a plan: the SHA-256 of its canonical JSON. */

import { createHash } from 'node:crypto';
import type { Plan } from '../schema/generated/plan.ts';

/**
 * JSON with the keys of every object sorted by UTF-16 code units and no white space, as RFC 8785 has it:
 * the same document gives the same bytes in every program.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** 64 lower-case hexadecimal digits. */
export function planDigest(plan: Plan): string {
  return createHash('sha256').update(canonicalJson(plan)).digest('hex');
}
