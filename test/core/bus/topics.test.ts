import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TOPICS, type TopicName, Topics } from '../../../services/core/bus/topics.ts';
import { topicsPage } from '../../../tools/docs/topics.ts';

const rows = Object.keys(TOPICS) as TopicName[];
const level = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/);
const namesOf = (row: TopicName) =>
  [...TOPICS[row].template.matchAll(/\{(\w+)\}/g)]
    .map(([, name]) => name as string)
    .filter((n) => n !== 'root');
const anyNames = (row: TopicName) =>
  fc.record(Object.fromEntries(namesOf(row).map((name) => [name, level]))) as fc.Arbitrary<never>;
// What a name could smuggle in: wildcards, separators, control characters, nothing at all, too much.
const hostile = fc.oneof(
  fc.constantFrom('', '+', '#', '/', 'a/b', 'a+', '#a', '$SYS/x', '\0', 'a\nb', 'ü', 'x'.repeat(65)),
  fc.string().filter((text) => !/^[A-Za-z0-9_.-]{1,64}$/.test(text)),
);

describe.each(rows)('topic %s', (row) => {
  test('parses what it builds', () => {
    fc.assert(
      fc.property(level, anyNames(row), (root, names) => {
        const topics = new Topics(root);
        expect(topics.parse(row, topics.build(row, names))).toEqual(names);
      }),
    );
  });

  test('is nobody else: other rows do not parse it', () => {
    fc.assert(
      fc.property(anyNames(row), (names) => {
        const topics = new Topics();
        const text = topics.build(row, names);
        const others = rows.filter((other) => other !== row && topics.parse(other, text) !== undefined);
        expect(others).toEqual([]);
      }),
    );
  });

  test('refuses names that are not one plain level', () => {
    fc.assert(
      fc.property(anyNames(row), fc.constantFrom(...namesOf(row)), hostile, (names, name, bad) => {
        const topics = new Topics();
        expect(() => topics.build(row, { ...(names as object), [name]: bad } as never)).toThrow(name);
      }),
    );
  });

  test('parses no name that it would not build: anybody may publish under any topic', () => {
    fc.assert(
      fc.property(anyNames(row), fc.constantFrom(...namesOf(row)), hostile, (names, name, bad) => {
        const given = { ...(names as Record<string, string>), [name]: bad };
        const text = TOPICS[row].template.replace(/\{(\w+)\}/g, (_, each: string) =>
          each === 'root' ? 'tilepipe' : (given[each] as string),
        );
        expect(new Topics().parse(row, text)).toBeUndefined();
      }),
    );
  });

  test('lets + stand for a name in a filter only', () => {
    const names = Object.fromEntries(namesOf(row).map((name) => [name, '+'])) as never;
    const topics = new Topics();
    const plain = (text: string) => text.replace('{root}', 'tilepipe').replace(/\{\w+\}/g, '+');
    expect(topics.filter(row, names)).toBe(plain(TOPICS[row].template));
    expect(() => topics.build(row, names)).toThrow('cannot stand in a topic');
  });

  test('stands on the docs page', () => {
    expect(topicsPage()).toContain(`\`${TOPICS[row].template}\``);
  });
});

test('knows an inbox from everything else that a message may name', () => {
  const topics = new Topics();
  expect(topics.isInbox(topics.build('inbox', { role: 'splitter', id: 'hub' }))).toBe(true);
  for (const other of [
    undefined,
    '',
    'tilepipe/plan/test',
    'other/splitter/hub/in',
    'tilepipe/splitter/a b/in',
  ])
    expect(topics.isInbox(other)).toBe(false);
  expect(topics.isInbox('tilepipe/splitter/+/in')).toBe(false);
});

test('another root is another world', () => {
  expect(new Topics('a').parse('status', 'b/status/worker/x')).toBeUndefined();
  expect(new Topics('a').parse('status', 'a/status/worker')).toBeUndefined();
  expect(new Topics('a').parse('status', 'a/status/worker/x/y')).toBeUndefined();
});
