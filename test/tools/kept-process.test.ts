import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { entryPath } from '../../services/core/runtime/entry.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { KeptProcess } from '../../tools/kept-process.ts';

/** Lines a log has said, and the next one that has a text in it. */
function listening() {
  const lines: string[] = [];
  const waiting: { text: string; resolve: (line: string) => void }[] = [];
  const write = (line: string): void => {
    lines.push(line);
    for (const { text, resolve } of waiting) if (line.includes(text)) resolve(line);
  };
  const said = (text: string) => new Promise<string>((resolve) => waiting.push({ text, resolve }));
  return { log: createLog('up', { level: 'info', destination: { write } }), lines, said };
}

test('a process that dies is started again, and not after it was stopped', async () => {
  const { log, lines } = listening();
  let launches = 0;
  let launched: () => void = () => {};
  const again = new Promise<void>((resolve) => {
    launched = resolve;
  });
  const launch = () => {
    if (++launches === 2) launched();
    return spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  };
  const kept = new KeptProcess({ name: 'worker-0', log, launch, delayMs: 1 });
  await kept.start();
  const first = kept.pid as number;
  process.kill(first, 'SIGKILL');
  await again;
  expect(lines.join('')).toContain('"signal":"SIGKILL"');
  const second = kept.pid as number;
  expect(second).not.toBe(first);
  await kept.stop();
  expect(() => process.kill(second, 0)).toThrow('ESRCH');
  expect(launches).toBe(2);
});

test('a process that keeps dying is given up', async () => {
  const { log, lines, said } = listening();
  let launches = 0;
  const launch = () => {
    launches++;
    return spawn(process.execPath, ['-e', 'process.exit(3)']);
  };
  const givenUp = said('not started again');
  const kept = new KeptProcess({ name: 'merger', log, launch, delayMs: 1 });
  await kept.start();
  expect(JSON.parse(await givenUp)).toMatchObject({ level: 50, code: 3 });
  expect(launches).toBe(5);
  expect(lines).toHaveLength(5);
  await kept.stop();
});

test('a service ends with its parent, however that went', async () => {
  const module = pathToFileURL(entryPath('tools/child-service')).href;
  const code = `
    const { startChild } = await import(${JSON.stringify(module)});
    startChild(['broker', '--port', '0'], { ...process.env, TILEPIPE_LOG: 'info' });`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  for await (const chunk of parent.stderr) {
    const before = said;
    said += chunk;
    if (!before.includes('online') && said.includes('online')) parent.kill('SIGKILL');
  }
  // The stream ends when the last process that holds it has gone.
  expect(said).toContain('offline');
  if (parent.signalCode === null) await once(parent, 'exit');
  expect(parent.signalCode).toBe('SIGKILL');
});
