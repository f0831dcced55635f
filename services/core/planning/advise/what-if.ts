/** What-if questions: a fleet that is not there, in the words of the command line. */

import { TilepipeError } from '../../runtime/errors.ts';
import { parseRate, parseSize } from '../units.ts';

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

/** Most devices one question adds or takes away. */
const MOST_DEVICES = 64;
/** Of the speed a processor has. */
const LEAST_FACTOR = 0.001;
const MOST_FACTOR = 1000;

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
  return { text: text.trim(), changes: text.split(',').map((part) => parseChange(part.trim())) };
}

function parseChange(text: string): Change {
  const devices = /^([+-])\s*(\d+)\s+devices?$/i.exec(text);
  if (devices !== null) {
    const count = Number(devices[2]);
    if (count < 1 || count > MOST_DEVICES)
      throw refused(text, `at least 1 and at most ${MOST_DEVICES} devices`);
    return { kind: devices[1] === '+' ? 'add' : 'remove', count };
  }
  const setting = /^(link|memory|cpu)\s*=\s*(\S+?)(?:\s+on\s+(\S.*))?$/i.exec(text);
  if (setting === null) throw refused(text);
  const [, key = '', value = '', on] = setting;
  const where = on === undefined ? {} : { on };
  try {
    switch (key.toLowerCase()) {
      case 'link':
        return { kind: 'link', bytesPerMs: parseRate(value), ...where };
      case 'memory':
        return { kind: 'memory', bytes: parseSize(value), ...where };
      default:
        return { kind: 'cpu', factor: parseFactor(value), ...where };
    }
  } catch (error) {
    throw refused(text, (error as Error).message);
  }
}

/** Digits and a point: what `Number` takes besides, `0x10` or `1e-9`, is rather a slip than a speed. */
function parseFactor(text: string): number {
  const factor = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (factor >= LEAST_FACTOR && factor <= MOST_FACTOR) return factor;
  throw new TilepipeError('usage', `"${text}" is no factor from ${LEAST_FACTOR} to ${MOST_FACTOR}`);
}

function refused(text: string, why?: string): TilepipeError {
  const forms = `${WHAT_IF_FORMS.join('; ')} (a comma joins several)`;
  return new TilepipeError(
    'usage',
    why === undefined
      ? `what-if "${text}" is none of: ${forms}`
      : `what-if "${text}": ${why}; the forms are: ${forms}`,
  );
}
