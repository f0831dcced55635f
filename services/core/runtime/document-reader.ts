/** Documents that come over the network, from bytes to checked values. */

import { validator } from './validate.ts';

/**
 * Reads payloads as documents of a schema; undefined where one is not, or is longer than `mostBytes`: a bad one is
 * somebody else's mistake and must not stop us.
 */
export function documentReader<T>(
  schema: object,
  { what, mostBytes = Number.POSITIVE_INFINITY }: { readonly what: string; readonly mostBytes?: number },
): (payload: Buffer) => T | undefined {
  const check = validator<T>(schema, 'wire-invalid', { what, firstOnly: true });
  return (payload) => {
    if (payload.length > mostBytes) return undefined;
    try {
      return check(JSON.parse(payload.toString('utf8')));
    } catch {
      return undefined;
    }
  };
}
