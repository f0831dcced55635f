/**
 * Shares of channel shards in coarse grains. Another share is another file of weights, to be written, fetched and loaded;
 * in grains, devices that become a little slower keep theirs, and a plan made beforehand is met again.
 */

/** Grains of a layer, where its shards are few. */
const GRAINS = 16;
/** At least so many for each shard. */
const EACH = 2;

/** Whole numbers in proportion to `shares`, at least 1 each; all 1 where they are as good as equal. */
export function inGrains(shares: readonly number[]): number[] {
  const grains = Math.max(GRAINS, EACH * shares.length);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const exact = shares.map((share) => (share / total) * grains);
  const even = grains / shares.length;
  if (exact.every((share) => Math.abs(share - even) <= 0.5)) return shares.map(() => 1);
  const whole = exact.map((share) => Math.max(1, Math.floor(share)));
  for (
    let left = grains - whole.reduce((sum, share) => sum + share, 0);
    left !== 0;
    left -= Math.sign(left)
  ) {
    const by = Math.sign(left);
    // Who lacks most gets one, who has most too many gives one; nobody gives the last.
    const lack = whole.map((share, i) =>
      by < 0 && share === 1 ? -Infinity : by * ((exact[i] as number) - share),
    );
    const at = lack.indexOf(Math.max(...lack));
    whole[at] = (whole[at] as number) + by;
  }
  return whole;
}
