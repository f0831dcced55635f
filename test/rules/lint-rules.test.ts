/** The linter's configuration refuses what the house rules refuse: real runs over files that break one rule each. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../services/core/runtime/entry.ts';

/** File, rule that must refuse it, text. */
const BAD: readonly (readonly [file: string, rule: string, text: string])[] = [
  [
    'services/worker/floating.ts',
    'noFloatingPromises',
    'async function slow(): Promise<void> {}\nexport function go(): void {\n  slow();\n}\n',
  ],
  [
    'services/worker/floating-method.ts',
    'noFloatingPromises',
    "import { Slow } from './slow.ts';\nnew Slow().go();\n",
  ],
  [
    'services/worker/misused.ts',
    'noMisusedPromises',
    "import { Slow } from './slow.ts';\nexport const sent = new Slow().go() ? 1 : 2;\n",
  ],
  [
    'services/core/cycle-a.ts',
    'noImportCycles',
    "import { b } from './cycle-b.ts';\nexport const a = () => b;\n",
  ],
  [
    'services/core/cycle-b.ts',
    'noImportCycles',
    "import { a } from './cycle-a.ts';\nexport const b = () => a;\n",
  ],
  ['services/core/any.ts', 'noExplicitAny', 'export const value = (input: any) => String(input);\n'],
  [
    'services/core/bang.ts',
    'noNonNullAssertion',
    'export const first = (list: string[]) => list[0]!.length;\n',
  ],
  ['services/core/console.ts', 'noConsole', "console.log('here');\n"],
  ['test/console.ts', 'noConsole', "console.log('here');\n"],
  [
    'services/core/extension.ts',
    'useImportExtensions',
    "import { go } from './good';\n\nexport const run = go;\n",
  ],
  [
    'services/core/unused.ts',
    'noUnusedImports',
    "import { go } from './good.ts';\n\nexport const run = 1;\n",
  ],
  [
    'services/core/protocol.ts',
    'useNodejsImportProtocol',
    "import { join } from 'path';\n\nexport const run = join;\n",
  ],
  [
    'services/core/undeclared.ts',
    'noUndeclaredDependencies',
    "import pad from 'left-pad';\n\nexport const run = pad;\n",
  ],
  ['services/core/CamelCase.ts', 'useFilenamingConvention', 'export const one = 1;\n'],
  ['services/core/snake_case.ts', 'useFilenamingConvention', 'export const one = 1;\n'],
  ['services/core/naming.ts', 'useNamingConvention', 'export function Make_it(): void {}\n'],
  ['services/core/type-naming.ts', 'useNamingConvention', 'export type lower = string;\n'],
  ['services/core/default.ts', 'noDefaultExport', 'export default function go(): void {}\n'],
  ['services/core/enum.ts', 'noEnum', 'export enum Kind {\n  one,\n}\n'],
  [
    'services/core/parameter.ts',
    'noParameterProperties',
    'export class Thing {\n  constructor(readonly name: string) {}\n}\n',
  ],
  ['services/core/throws.ts', 'useThrowOnlyError', "export function fail(): never {\n  throw 'text';\n}\n"],
  ['services/core/re-export.ts', 'noReExportAll', "export * from './good.ts';\n"],
  ['test/only.test.ts', 'noFocusedTests', "import { test } from 'vitest';\n\ntest.only('one', () => {});\n"],
  [
    'services/core/long.ts',
    'noExcessiveLinesPerFile',
    'export const values = [\n'.concat('  1,\n'.repeat(400), '];\n'),
  ],
];

/** Files that keep every rule. */
const GOOD: readonly (readonly [file: string, text: string])[] = [
  ['services/worker/slow.ts', 'export class Slow {\n  async go(): Promise<void> {}\n}\n'],
  [
    'services/worker/awaits.ts',
    "import { Slow } from './slow.ts';\n\nawait new Slow().go();\nvoid new Slow().go();\n",
  ],
  [
    'services/core/good.ts',
    'const LIMITS = { bytes: 1, TILEPIPE_CACHE: 2, allow_spinning: 3 };\nexport const go = () => LIMITS;\n',
  ],
  ['tools/prints.ts', "console.log('here');\n"],
  ['test/long.ts', 'export const values = [\n'.concat('  1,\n'.repeat(400), '];\n')],
  ['test/some.config.ts', 'export default { test: {} };\n'],
];

interface Report {
  readonly diagnostics: readonly {
    readonly category: string;
    readonly severity: string;
    readonly location: { readonly path: string };
  }[];
}

const root = packageRoot();
const folder = mkdtempSync(join(tmpdir(), 'tilepipe-lint-'));
const found = new Map<string, string[]>();
let exitCode: number | null;

beforeAll(() => {
  for (const file of ['biome.json', 'package.json', 'tsconfig.json', '.gitignore'])
    cpSync(join(root, file), join(folder, file));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [file, text] of [...BAD.map(([name, , code]) => [name, code] as const), ...GOOD]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  const biome = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
  const flags = ['lint', '--error-on-warnings', '--max-diagnostics=none', '--reporter=json', '.'];
  const run = spawnSync(process.execPath, [biome, ...flags], { cwd: folder, encoding: 'utf8' });
  exitCode = run.status;
  const { diagnostics } = JSON.parse(run.stdout) as Report;
  for (const { category, location } of diagnostics) {
    const rule = category.split('/').at(-1) as string;
    found.set(location.path, [...(found.get(location.path) ?? []), rule]);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(BAD)('%s is refused by %s', (file, rule) => {
  expect(found.get(file)).toContain(rule);
});

test.each(GOOD)('%s is accepted', (file) => {
  expect(found.get(file)).toBeUndefined();
});

test('a refusal fails the command, and the configuration itself draws no warning', () => {
  expect(exitCode).toBe(1);
  expect(found.get('biome.json')).toBeUndefined();
  expect(readFileSync(join(root, 'package.json'), 'utf8')).toContain('biome check --error-on-warnings .');
});
