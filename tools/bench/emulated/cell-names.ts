/** `--cells resnet50,8,limited`: of each kind of condition the values that are named; of a kind that is not named, all. */

import { TilepipeError } from '../../../services/core/runtime/errors.ts';

/** Values by kind, in the order given. Throws `usage` for a name of no kind. */
export function chosenValues<const Kinds extends Readonly<Record<string, readonly string[]>>>(
  text: string | undefined,
  kinds: Kinds,
): { [Kind in keyof Kinds]: Kinds[Kind][number][] } {
  const named = text?.split(',').map((name) => name.trim()) ?? [];
  const known = Object.values(kinds).flat();
  const unknown = named.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new TilepipeError('usage', `"${unknown}" is no cell; there are ${known.join(', ')}`);
  const chosen = Object.entries(kinds).map(([kind, values]) => {
    const some = values.filter((value) => named.includes(value));
    return [kind, some.length === 0 ? [...values] : some];
  });
  return Object.fromEntries(chosen);
}
