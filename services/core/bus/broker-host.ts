/** Addresses on the machine of the broker: whoever announces them cannot know what others call it. */

/** Stands for that machine. */
const BROKER = 'broker';
const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Whether a listener's host stands for every address of this machine. */
export function isEverywhere(host: string): boolean {
  return EVERYWHERE.has(host);
}

/** What others find a listener of this machine by: where it is at every address the one that faces the broker, or `broker`. */
export function announcedHost(host: string, facing: string | undefined): string {
  return isEverywhere(host) ? (facing ?? BROKER) : host;
}

/** The address with this machine's own name for that of the broker, where it has one. */
export function asReached(url: string, brokerHost: string | undefined): string {
  const address = new URL(url);
  if (address.hostname === BROKER && brokerHost !== undefined) address.hostname = brokerHost;
  return address.href;
}
