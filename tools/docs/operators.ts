/** docs/operators.md, from the operator table and the table of region rules. */

import { OPERATORS } from '../../services/core/graph/operators/table.ts';
import { describeRules } from '../../services/core/tiling/rules/table.ts';

/** The page as Markdown. */
export function operatorsPage(): string {
  const rules = describeRules();
  const tiled = new Set(rules.map(({ op, domain }) => `${domain}:${op}`));
  const whole = [...OPERATORS.values()].filter(({ op, domain }) => !tiled.has(`${domain}:${op}`));
  const rows = rules.map(
    ({ op, domain, region, pads, limits }) =>
      `| ${title(op, domain)} | ${cell(region)} | ${cell(pads)} | ${cell(limits)} |`,
  );
  return `# Operators

<!-- Generated from services/core/graph/operators and services/core/tiling/rules. Do not edit. -->

Every operator the executor runs is taken: an operator without a rule here, or one whose limits a model exceeds, ends the
tileable stretch and runs in one piece. \`npx tilepipe inspect\` names such nodes with the reason.

## Tiled

| operator | what a rectangle of the output needs | borders | runs whole when |
| --- | --- | --- | --- |
${rows.join('\n')}

## In one piece, with shapes inferred

${whole.map(({ op, domain }) => title(op, domain)).join(', ')}

Anything else is asked of the executor once, when the model is opened.
`;
}

function title(op: string, domain: string): string {
  return domain === '' ? op : `${op} (${domain})`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
