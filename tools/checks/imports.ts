/** Checks the imports of the whole tree: `node dist/tools/checks/imports.js`. Exits 1 where a rule is broken. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { EXIT } from '../../services/core/runtime/errors.ts';
import { importsOf, refusal } from './import-rules.ts';

const FOLDERS = ['services', 'tools', 'test'];
const SOURCE = /\.(ts|mts|cts|js|mjs|cjs)$/;

const root = packageRoot();
const broken: string[] = [];
let files = 0;
for (const folder of FOLDERS) {
  for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
    if (!SOURCE.test(entry)) continue;
    const file = `${folder}/${entry.replaceAll('\\', '/')}`;
    files++;
    for (const { specifier, line } of importsOf(readFileSync(join(root, file), 'utf8'))) {
      const reason = refusal(file, specifier);
      if (reason !== undefined) broken.push(`${file}:${line}: ${reason}`);
    }
  }
}

for (const each of broken) process.stderr.write(`${each}\n`);
process.stdout.write(`imports of ${files} files checked, ${broken.length} not allowed\n`);
if (broken.length > 0) process.exitCode = EXIT.checkFailed;
