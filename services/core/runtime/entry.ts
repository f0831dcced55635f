/** Where built entry files are: threads and child processes need JavaScript, also when the caller is a test run from source. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** Absolute path of a built module, named without extension from the package's root: 'services/worker/main'. */
export function entryPath(module: string): string {
  return join(packageRoot(), 'dist', `${module}.js`);
}
