/** Writes the pages that are made from tables; `--check` fails where a committed page differs. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { errorsPage } from './errors.ts';
import { operatorsPage } from './operators.ts';
import { topicsPage } from './topics.ts';

const PAGES: readonly (readonly [file: string, page: () => string])[] = [
  ['errors.md', errorsPage],
  ['operators.md', operatorsPage],
  ['topics.md', topicsPage],
];

const check = process.argv.includes('--check');
for (const [file, page] of PAGES) {
  const path = join(packageRoot(), 'docs', file);
  const wanted = page();
  if (!check) writeFileSync(path, wanted);
  else if (committed(path) !== wanted) {
    process.stderr.write(`docs/${file} differs from its table: run npm run generate\n`);
    process.exitCode = 1;
  }
}

function committed(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
