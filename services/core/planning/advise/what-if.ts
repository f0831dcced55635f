/** What-if questions: a fleet that is not there, in the words of the command line. */

import { TilepipeError } from '../../runtime/errors.ts';
import { parseSize, readRate } from './units.ts';

/** One change of a fleet. */
export type Change =
  | { readonly kind: 'add'; readonly count: number }
  | { readonly kind: 'remove'; readonly count: number }
  | { readonly kind: 'link'; readonly bytesPerMs: number; readonly on?: string }
  /** Bytes for weights and activations, beside the worker itself. */
  | { readonly kind: 'memory'; readonly bytes: number; readonly on?: string }
  /** Speed of the processor, 1 as it is. */
  | { readonly kind: 'cpu'; readonly factor: number; readonly on?: string };

/** A question: changes that are made together. */
export interface WhatIf {
  readonly text: string;
  readonly changes: readonly Change[];
}

/** Most devices one question adds. */
const MOST_ADDED = 64;

/** For the message of a question nobody understands, and for --help. */
export const WHAT_IF_FORMS: readonly string[] = [
  '+N devices',
  '-N devices',
  'link=100mbit',
  'link=100mbit on MEDIUM',
  'memory=256MB',
  'memory=256MB on DEVICE',
  'cpu=0.5',
  'cpu=0.5 on DEVICE',
];

/** Reads one question; a comma joins changes that are made together. Throws `usage` with the forms there are. */
export function parseWhatIf(text: string): WhatIf {
  const changes = text.split(',').map((part) => {
    const change = parseChange(part.trim());
    if (change !== undefined) return change;
    throw new TilepipeError(
      'usage',
      `what-if "${part.trim()}" is none of: ${WHAT_IF_FORMS.join('; ')} (a comma joins several)`,
    );
  });
  return { text: text.trim(), changes };
}

function parseChange(text: string): Change | undefined {
  const devices = /^([+-])\s*(\d{1,3})\s+devices?$/i.exec(text);
  if (devices !== null) {
    const count = Number(devices[2]);
    if (count < 1 || count > MOST_ADDED) return undefined;
    return { kind: devices[1] === '+' ? 'add' : 'remove', count };
  }
  const setting = /^(link|memory|cpu)\s*=\s*(\S+?)(?:\s+on\s+(\S.*))?$/i.exec(text);
  if (setting === null) return undefined;
  const [, key = '', value = '', on] = setting;
  const where = on === undefined ? {} : { on };
  switch (key.toLowerCase()) {
    case 'link': {
      const bytesPerMs = readRate(value);
      return bytesPerMs === undefined ? undefined : { kind: 'link', bytesPerMs, ...where };
    }
    case 'memory':
      return readSize(value, where);
    default: {
      const factor = Number(value);
      return factor > 0 && factor <= 1000 ? { kind: 'cpu', factor, ...where } : undefined;
    }
  }
}

function readSize(value: string, where: { on?: string }): Change | undefined {
  try {
    return { kind: 'memory', bytes: parseSize(value), ...where };
  } catch {
    return undefined;
  }
}
