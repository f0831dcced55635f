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

/** Replaces file references by the schema itself, so that every generated module stands alone. */
function inline(node, load) {
  if (Array.isArray(node)) return node.map((item) => inline(item, load));
  if (node === null || typeof node !== 'object') return node;
  if (typeof node.$ref === 'string' && node.$ref.endsWith('.schema.json')) {
    const { $schema, $id, ...rest } = load(node.$ref);
    return inline(rest, load);
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, inline(value, load)]));
}

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
  const stem = file.replace('.schema.json', '');
  const schema = inline(load(file), load);
  const types = await compile(structuredClone(schema), stem, {
    bannerComment: '',
    additionalProperties: false,
    ignoreMinAndMaxItems: true,
    unreachableDefinitions: true,
    style: { singleQuote: true },
  });
  const value = `export const ${stem.replace(/-(\w)/g, (_, c) => c.toUpperCase())}Schema = ${JSON.stringify(schema, null, 2)};\n`;
  outputs.set(join(target, `${stem}.ts`), `${head}\n${types}\n${value}`);
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
