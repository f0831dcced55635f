// Generates what is derived: TypeScript types and validators' schemas from schemas/*.schema.json, and the
// ONNX decoder from schemas/onnx.proto.
// `--check` regenerates into memory and fails where the committed files differ.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const schemas = join(root, 'schemas');
const target = join(root, 'services', 'core', 'schema', 'generated');
const head = '// Generated from schemas/ by `npm run generate`. Do not edit.\n';

/** Of a schema's file: `run-report` for `run-report.schema.json`. */
const stemOf = (file) => file.replace('.schema.json', '');
const valueName = (stem) => `${stem.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())}Schema`;
const typeName = (stem) => stem.replace(/(?:^|-)(\w)/g, (_, letter) => letter.toUpperCase());

/** Copies a schema; every reference to another file becomes `replace(stem of that file)`, and the stem goes into `used`. */
function mapReferences(node, replace, used = new Set()) {
  if (Array.isArray(node)) return node.map((item) => mapReferences(item, replace, used));
  if (node === null || typeof node !== 'object') return node;
  if (typeof node.$ref === 'string' && node.$ref.endsWith('.schema.json')) {
    const stem = stemOf(node.$ref);
    used.add(stem);
    return replace(stem);
  }
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, mapReferences(value, replace, used)]),
  );
}

/** The type of the module of a referenced file, and its schema without the lines that make it a file of its own. */
const importOf = (stem) => `import { type ${typeName(stem)}, ${valueName(stem)} } from './${stem}.ts';\n`;
const partOf = (stem) =>
  `const { $schema: _${valueName(stem)}, $id: _${valueName(stem)}Id, ...${valueName(stem)}Part } = ${valueName(stem)};\n`;

/** Runs buf with the local TypeScript plugin; returns the text of the module it makes. */
function generateProto(file) {
  const bin = join(root, 'node_modules', '.bin');
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-generate-'));
  try {
    const template = {
      version: 'v2',
      plugins: [{ local: join(bin, 'protoc-gen-es'), out: '.', opt: ['target=ts', 'import_extension=ts'] }],
    };
    const args = [
      'generate',
      schemas,
      '--path',
      join(schemas, file),
      '--template',
      JSON.stringify(template),
      '-o',
      folder,
    ];
    const run = spawnSync(join(bin, 'buf'), args, { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`buf generate failed: ${run.stderr || run.error}`);
    return readFileSync(join(folder, file.replace('.proto', '_pb.ts')), 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const load = (file) => JSON.parse(readFileSync(join(schemas, file), 'utf8'));
const outputs = new Map();
for (const file of readdirSync(schemas)
  .filter((name) => name.endsWith('.schema.json'))
  .sort()) {
  const stem = stemOf(file);
  const used = new Set();
  const document = load(file);
  const typed = mapReferences(document, (other) => ({ tsType: typeName(other) }), used);
  const types = await compile(typed, stem, {
    bannerComment: '',
    additionalProperties: false,
    ignoreMinAndMaxItems: true,
    unreachableDefinitions: true,
    style: { singleQuote: true },
  });
  const others = [...used].sort();
  const marked = mapReferences(document, (other) => `@@${valueName(other)}Part@@`);
  const text = JSON.stringify(marked, null, 2).replace(/"@@(\w+)@@"/g, '$1');
  const value = `export const ${valueName(stem)} = ${text};\n`;
  const imports = others.length === 0 ? '' : `${others.map(importOf).join('')}\n`;
  const parts = others.map(partOf).join('');
  outputs.set(join(target, `${stem}.ts`), `${head}\n${imports}${types}\n${parts}${value}`);
}
outputs.set(join(root, 'services', 'core', 'graph', 'onnx_pb.ts'), `${head}\n${generateProto('onnx.proto')}`);

mkdirSync(target, { recursive: true });
let stale = 0;
for (const [path, text] of outputs) {
  if (!process.argv.includes('--check')) {
    writeFileSync(path, text);
    continue;
  }
  let committed = '';
  try {
    committed = readFileSync(path, 'utf8');
  } catch {}
  if (committed !== text) {
    stale++;
    process.stderr.write(`${path} differs from its schema: run npm run generate\n`);
  }
}
for (const file of readdirSync(target)) {
  if (outputs.has(join(target, file))) continue;
  stale++;
  process.stderr.write(`${join(target, file)} has no schema: remove it\n`);
}
if (stale > 0) process.exit(1);
