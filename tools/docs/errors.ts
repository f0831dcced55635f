/** docs/errors.md, from the errors table. */

import { ERRORS, EXIT } from '../../services/core/runtime/errors.ts';

const EXITS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'it worked',
  checkFailed: 'a check failed',
  usage: 'the command line or the configuration is wrong',
  badInput: 'a model, picture, plan or message is bad',
  environment: 'something around the program is: broker, port, disk, workers, platform',
};

/** The page as Markdown. */
export function errorsPage(): string {
  const exits = Object.entries(EXIT).map(
    ([name, code]) => `| ${code} | ${EXITS[name as keyof typeof EXIT]} |`,
  );
  const rows = Object.entries(ERRORS).map(
    ([code, { exit, meaning, fix }]) => `| \`${code}\` | ${exit} | ${cell(meaning)} | ${cell(fix)} |`,
  );
  return `# Errors

<!-- Generated from services/core/runtime/errors.ts. Do not edit. -->

Every error carries one of these codes, in the log, in \`--json\` output and in messages on the bus. The text beside a
code says what happened and where.

| exit code | meaning |
| --- | --- |
${exits.join('\n')}

| code | exit | meaning | what to do |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
