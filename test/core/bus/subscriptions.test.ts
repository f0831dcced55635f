import { expect, test } from 'vitest';
import { matchesFilter, Subscriptions } from '../../../services/core/bus/subscriptions.ts';

// The examples of MQTT 3.1.1, section 4.7.1 and 4.7.2, and MQTT 5, section 4.8.2.
test.each([
  ['sport/tennis/player1/#', 'sport/tennis/player1', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
  ['sport/#', 'sport', true],
  ['#', 'sport', true],
  ['sport/tennis/+', 'sport/tennis/player1', true],
  ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
  ['sport/+', 'sport', false],
  ['sport/+', 'sport/', true],
  ['+/+', '/finance', true],
  ['/+', '/finance', true],
  ['+', '/finance', false],
  ['#', '$SYS/broker', false],
  ['+/broker', '$SYS/broker', false],
  ['$SYS/#', '$SYS/broker', true],
  ['$share/group/a/+', 'a/b', true],
  ['$share/group/a/+', 'a/b/c', false],
  ['a/b', 'a/B', false],
])('%s and %s: %s', (filter, topic, matches) => {
  expect(matchesFilter(filter, topic)).toBe(matches);
});

test('finds exact topics and filters, and forgets a filter with its last subscriber', () => {
  const table = new Subscriptions();
  const one = { handler: () => {}, qos: 0, manual: false } as const;
  const two = { handler: () => {}, qos: 1, manual: false } as const;
  table.add('a/b', one);
  table.add('a/b', two);
  table.add('a/+', one);
  expect(table.match('a/b')).toEqual([one, two, one]);
  expect(table.match('a/c')).toEqual([one]);
  expect(table.filters()).toEqual([
    ['a/b', 1],
    ['a/+', 0],
  ]);
  expect(table.remove('a/b', two)).toBe(false);
  expect(table.qos('a/b')).toBe(0);
  expect(table.remove('a/b', one)).toBe(true);
  expect(table.filters()).toEqual([['a/+', 0]]);
});
