/** Waiting with an end. */

/** Whether `work` ended, well or not, within `limitMs`; it goes on unobserved otherwise. */
export async function within(limitMs: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, limitMs, false);
  });
  const ended = work.then(
    () => true,
    () => true,
  );
  const inTime = await Promise.race([ended, limit]);
  clearTimeout(timer);
  return inTime;
}
