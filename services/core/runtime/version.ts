/** The version of this program, from its package.json. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './entry.ts';

export const VERSION: string = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version;
