/**
 * Who may import what, by resolved path. The linter's own import rule compares the specifier as it is spelled
 * (`../../merger/x.ts`), and cannot say "this folder" or "only these files".
 */

import { posix } from 'node:path';

/**
 * Every external package, and the only places that may import it: a file, or a folder (ends in '/').
 * Tests may import any of them.
 */
export const DOORS: Readonly<Record<string, readonly string[]>> = {
  '@bufbuild/protobuf': ['services/core/graph/'],
  '@kubernetes/client-node': ['services/controller/kubernetes.ts'],
  aedes: ['services/broker/'],
  ajv: ['services/core/runtime/validate.ts'],
  'cli-table3': ['tools/output.ts'],
  commander: [
    'tools/cli.ts',
    'tools/ending.ts',
    'tools/bench/main.ts',
    'tools/strict-command.ts',
    'tools/model-flags.ts',
    'tools/service-flags.ts',
    'tools/commands/',
  ],
  'json-schema-to-typescript': ['tools/generate.mjs'],
  mqtt: ['services/core/bus/mqtt.ts'],
  'onnxruntime-node': ['services/worker/executor/ort-thread.ts'],
  pino: ['services/core/runtime/log.ts'],
  'pino-pretty': ['services/core/runtime/log.ts'],
  send: ['services/controller/store.ts'],
  sharp: ['services/core/control/picture-codec.ts', 'services/splitter/decode.ts', 'tools/demo/jpeg.ts'],
  yaml: ['services/core/runtime/config.ts'],
};

/** Folders without input and output: what they compute depends on their arguments alone. */
const PURE = ['graph', 'tiling', 'planning', 'tensor', 'wire', 'flow', 'vision'].map(
  (name) => `services/core/${name}/`,
);

/** What is pure outside those folders, so that they may import it. */
const PURE_HELPERS = [
  'services/core/schema/generated/',
  'services/core/runtime/errors.ts',
  'services/core/runtime/quantile.ts',
  'services/core/runtime/suggest.ts',
  'services/core/runtime/validate.ts',
];

/** Node's own modules that only compute. */
const PURE_BUILTINS: Readonly<Record<string, readonly string[]>> = {
  'node:buffer': ['services/core/wire/'],
  'node:crypto': ['services/core/wire/', 'services/core/flow/', 'services/core/tiling/'],
  'node:zlib': ['services/core/wire/', 'services/core/flow/'],
};

export interface Import {
  readonly specifier: string;
  /** From 1. */
  readonly line: number;
}

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(['"`])([^'"`\n]+)\1/g;

/** Static, dynamic and type imports, re-exports and require calls of a module. */
export function importsOf(text: string): Import[] {
  // Comments are blanked, not cut, so that lines keep their numbers.
  const code = text.replace(/^\s*\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) =>
    comment.replace(/[^\n]/g, ' '),
  );
  return [...code.matchAll(IMPORT)].map((match) => ({
    specifier: match[2] as string,
    line: code.slice(0, match.index).split('\n').length,
  }));
}

/** Why `file` may not import `specifier`; undefined where it may. `file` is relative to the repository's root, with '/'. */
export function refusal(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return refusedPath(file, posix.join(posix.dirname(file), specifier));
  if (specifier.startsWith('node:')) return refusedBuiltin(file, specifier);
  return refusedPackage(file, specifier);
}

function refusedPackage(file: string, specifier: string): string | undefined {
  if (within(file, ['test/'])) return undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const doors = DOORS[name];
  if (doors === undefined) return `${name} has no door: add it to the table in tools/checks/import-rules.ts`;
  return within(file, doors) ? undefined : `only ${doors.join(', ')} may import ${name}`;
}

function refusedBuiltin(file: string, specifier: string): string | undefined {
  if (!within(file, [...PURE, ...PURE_HELPERS])) return undefined;
  if (within(file, PURE_BUILTINS[specifier] ?? [])) return undefined;
  return `${specifier} does not belong in a pure folder: pass the values in`;
}

function refusedPath(file: string, target: string): string | undefined {
  if (!within(file, ['services/'])) {
    return within(file, ['tools/']) && within(target, ['test/']) ? 'tools never import tests' : undefined;
  }
  if (!within(target, ['services/'])) return `services never import ${target.split('/')[0]}/`;
  if (within(file, [...PURE, ...PURE_HELPERS]) && !within(target, [...PURE, ...PURE_HELPERS])) {
    return `${target} is not pure, and ${posix.dirname(file)} is`;
  }
  const [from, to] = [roleOf(file), roleOf(target)];
  if (to === 'core' || from === to) return undefined;
  return from === 'core' ? `core imports no role (${to})` : `no role imports another: ${from} imports ${to}`;
}

function roleOf(path: string): string | undefined {
  return path.split('/')[1];
}

function within(file: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith('/') ? file.startsWith(place) : file === place));
}
