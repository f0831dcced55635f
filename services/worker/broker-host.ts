/** Addresses on the machine of the broker: whoever announces them cannot know what others call it. */

/** Stands for that machine. */
const BROKER = 'broker';

/** The address with this worker's own name for that machine, where it has one. */
export function asReached(url: string, brokerHost: string | undefined): string {
  const address = new URL(url);
  if (address.hostname === BROKER && brokerHost !== undefined) address.hostname = brokerHost;
  return address.href;
}
