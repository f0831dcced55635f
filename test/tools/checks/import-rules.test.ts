import { expect, test } from 'vitest';
import { DOORS, importsOf, refusal } from '../../../tools/checks/import-rules.ts';

test.each([
  [
    'a package outside its door',
    'services/worker/worker.ts',
    'mqtt',
    'only services/core/bus/mqtt.ts may import mqtt',
  ],
  ['a door is a file, not its folder', 'services/core/bus/flow.ts', 'mqtt', 'only services/core/bus/mqtt.ts'],
  ['the broker outside its folder', 'services/splitter/intake.ts', 'aedes', 'only services/broker/'],
  ['the executor library', 'services/worker/executor/ort.ts', 'onnxruntime-node', 'ort-thread.ts may import'],
  [
    'the picture library',
    'services/merger/merger.ts',
    'sharp',
    'services/splitter/decode.ts, tools/demo/jpeg.ts',
  ],
  [
    'the Kubernetes client',
    'services/controller/store.ts',
    '@kubernetes/client-node',
    'services/controller/kubernetes',
  ],
  ['a path below a package', 'tools/verify.ts', 'mqtt/build/index.js', 'may import mqtt'],
  [
    'a path below a scoped package',
    'tools/verify.ts',
    '@bufbuild/protobuf/codegenv2',
    'may import @bufbuild/protobuf',
  ],
  ['a package without a door', 'services/worker/worker.ts', 'left-pad', 'left-pad has no door'],
  [
    'another role',
    'services/worker/worker.ts',
    '../merger/merger.ts',
    'no role imports another: worker imports merger',
  ],
  [
    'another role from a deeper folder',
    'services/worker/executor/ort.ts',
    '../../splitter/decode.ts',
    'imports splitter',
  ],
  ['a role from core', 'services/core/control/send.ts', '../../broker/local-bus.ts', 'core imports no role'],
  [
    'tools from a service',
    'services/controller/controller.ts',
    '../../tools/output.ts',
    'services never import tools/',
  ],
  [
    'tests from a service',
    'services/core/bus/bus.ts',
    '../../../test/support/relay.ts',
    'services never import test/',
  ],
  ['tests from tools', 'tools/bench/idle.ts', '../../test/support/relay.ts', 'tools never import tests'],
  [
    'files in a pure folder',
    'services/core/graph/load/decode.ts',
    'node:fs',
    'node:fs does not belong in a pure folder',
  ],
  ['hashing in the graph', 'services/core/graph/resolve.ts', 'node:crypto', 'node:crypto does not belong'],
  [
    'the log in a pure folder',
    'services/core/flow/dispatch.ts',
    '../runtime/log.ts',
    'services/core/runtime/log.ts is not pure',
  ],
  ['the bus in a pure folder', 'services/core/wire/encode.ts', '../bus/topics.ts', 'is not pure'],
  [
    'files in what pure folders rely on',
    'services/core/runtime/errors.ts',
    'node:fs',
    'node:fs does not belong',
  ],
])('refuses %s', (_, file, specifier, reason) => {
  expect(refusal(file, specifier)).toContain(reason);
});

test.each([
  ['services/core/bus/mqtt.ts', 'mqtt'],
  ['services/broker/embedded-broker.ts', 'aedes'],
  ['services/controller/kubernetes.ts', '@kubernetes/client-node'],
  ['services/worker/executor/ort-thread.ts', 'onnxruntime-node'],
  ['test/support/ort.ts', 'onnxruntime-node'],
  ['services/worker/worker.ts', '../core/runtime/log.ts'],
  ['services/worker/worker.ts', './executor/ort.ts'],
  ['services/worker/worker.ts', 'node:fs'],
  ['services/core/wire/crc32.ts', 'node:zlib'],
  ['services/core/flow/plan-digest.ts', 'node:crypto'],
  ['services/core/tiling/types.ts', '../graph/types.ts'],
  ['services/core/vision/settings.ts', '../runtime/validate.ts'],
  ['services/core/vision/answer.ts', '../schema/generated/result.ts'],
  ['tools/services.ts', '../services/merger/part.ts'],
  ['test/broker/embedded-broker.test.ts', '../../services/broker/embedded-broker.ts'],
])('lets %s import %s', (file, specifier) => {
  expect(refusal(file, specifier)).toBeUndefined();
});

test('every dependency has a door, and every door a dependency', async () => {
  const { default: manifest } = await import('../../../package.json', { with: { type: 'json' } });
  expect(Object.keys(DOORS)).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)));
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(declared).toEqual(expect.arrayContaining(Object.keys(DOORS)));
});

test('finds every way to import, with its line, and nothing in comments', () => {
  const text = [
    "import { a } from 'one';",
    'import {',
    '  b,',
    "} from 'two';",
    "import 'three';",
    "export * from 'four';",
    "export type { C } from 'five';",
    "const d = await import('six');",
    "type E = import('seven').E;",
    "const f = require('eight');",
    '// import g from "nine";',
    "/** import { h } from 'ten' */",
    'const i = await import(`eleven`);',
    "const j = Buffer.from('twelve');",
  ].join('\n');
  expect(importsOf(text)).toEqual([
    { specifier: 'one', line: 1 },
    { specifier: 'two', line: 4 },
    { specifier: 'three', line: 5 },
    { specifier: 'four', line: 6 },
    { specifier: 'five', line: 7 },
    { specifier: 'six', line: 8 },
    { specifier: 'seven', line: 9 },
    { specifier: 'eight', line: 10 },
    { specifier: 'eleven', line: 13 },
  ]);
});
