/** Names of devices for people: numbered ones as a range. */

/** Of so many names in a row a range is made. */
const RANGE = 3;
/** Names and ranges beyond these are counted. */
const MOST = 4;

/** `pi-1..pi-3, attic and shed`, in order of the numbers in the names. */
export function namesText(names: readonly string[]): string {
  const parts = ranges([...names].sort(byNumbers));
  const left = parts.slice(MOST).reduce((sum, part) => sum + part.length, 0);
  const texts = parts.slice(0, MOST).map(rangeText);
  if (left > 0) texts.push(`${left} others`);
  const last = texts.pop() ?? '';
  return texts.length === 0 ? last : `${texts.join(', ')} and ${last}`;
}

/** As `localeCompare` with numbers, but the same everywhere. */
const { compare: byNumbers } = new Intl.Collator('en', { numeric: true });

/** Runs of consecutive numbers after the same text; what makes no range is alone. */
function ranges(names: readonly string[]): string[][] {
  const runs: string[][] = [];
  for (const name of names) {
    const run = runs.at(-1);
    if (run !== undefined && follows(run.at(-1) as string, name)) run.push(name);
    else runs.push([name]);
  }
  return runs.flatMap((run) => (run.length < RANGE ? run.map((name) => [name]) : [run]));
}

function follows(before: string, name: string): boolean {
  const [, prefix, number] = /^(.*?)(\d+)$/.exec(before) ?? [];
  return number !== undefined && name === `${prefix}${Number(number) + 1}`;
}

function rangeText(run: readonly string[]): string {
  return run.length === 1 ? `${run[0]}` : `${run[0]}..${run.at(-1)}`;
}
