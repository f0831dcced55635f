/** What a broker's return and reason codes mean: MQTT 3.1.1, table 3.1, and MQTT 5, section 2.4. */

const TEXTS: Readonly<Record<number, string>> = {
  1: 'it does not speak this version of MQTT',
  2: 'it does not take this client id',
  3: 'it is not available',
  4: 'bad user name or password',
  5: 'not authorised',
  128: 'unspecified error',
  129: 'malformed packet',
  130: 'protocol error',
  131: 'implementation specific error',
  132: 'it does not speak this version of MQTT',
  133: 'it does not take this client id',
  134: 'bad user name or password',
  135: 'not authorised',
  136: 'it is not available',
  137: 'it is busy',
  138: 'banned',
  139: 'it is shutting down',
  140: 'bad authentication method',
  141: 'keep-alive timeout',
  142: 'another client took over the session',
  143: 'topic filter invalid',
  144: 'topic name invalid',
  147: 'more messages in flight than it takes',
  149: 'packet too large',
  151: 'quota exceeded',
  153: 'payload format invalid',
  154: 'it keeps no retained messages',
  155: 'QoS not supported',
  157: 'it has moved',
  158: 'shared subscriptions not supported',
  159: 'too many connections',
  162: 'wildcard subscriptions not supported',
};

/** Codes after which trying again later may succeed. */
const PASSING: ReadonlySet<number> = new Set([3, 0x88, 0x89, 0x8b, 0x97, 0x9f]);

export function refusalText(code: number): string {
  return TEXTS[code] ?? `reason code ${code}`;
}

/** Whether a refused CONNECT will be refused again: credentials, version, client id. */
export function isFinal(code: number): boolean {
  return !PASSING.has(code);
}
