/** docs/topics.md, from the topics table. */

import { TOPICS } from '../../services/core/bus/topics.ts';

/** The page as Markdown. */
export function topicsPage(): string {
  const sections = Object.entries(TOPICS).map(
    ([name, row]) => `## ${name}

\`${row.template}\`

| | |
| --- | --- |
| channel | ${row.channel} |
| QoS | ${row.qos} |
| retained | ${row.retained ? 'yes' : 'no'} |
| published by | ${row.publisher} |
| subscribed by | ${row.subscriber} |
| payload | ${row.payload} |
`,
  );
  return `# Topics

<!-- Generated from services/core/bus/topics.ts. Do not edit. -->

Every MQTT topic Tilepipe uses. \`{root}\` is \`tilepipe\` unless configured; the other names in braces are one level of
letters, digits, \`-\`, \`_\` and \`.\`, at most 64 characters. Each channel is an MQTT connection of its own, so that tiles
delay neither heartbeats nor camera frames.

${sections.join('\n')}`;
}
