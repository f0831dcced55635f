import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ModelStore } from '../../services/controller/store.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';

let folder: string;
let blobs: BlobCache;
let store: ModelStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tilepipe-store-'));
  blobs = new BlobCache({ folder });
  store = new ModelStore({ blobs });
  await store.start();
});

afterEach(async () => {
  await store.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('serves a blob whole, in part, and not again to who has it', async () => {
  const content = randomBytes(100_000);
  const { digest } = await blobs.putBytes(content);
  const url = `${store.url()}/blobs/${digest}`;
  const whole = await fetch(url);
  expect(whole.status).toBe(200);
  expect(whole.headers.get('etag')).toBe(`"${digest}"`);
  expect(whole.headers.get('cache-control')).toContain('immutable');
  expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true);
  const part = await fetch(url, { headers: { range: 'bytes=99000-' } });
  expect(part.status).toBe(206);
  expect(part.headers.get('content-range')).toBe('bytes 99000-99999/100000');
  expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(99_000))).toBe(true);
  const beyond = await fetch(url, { headers: { range: 'bytes=100000-' } });
  expect(beyond.status).toBe(416);
  const known = await fetch(url, {
    headers: { 'if-none-match': `"${digest}"`, 'cache-control': 'max-age=0' },
  });
  expect(known.status).toBe(304);
  const head = await fetch(url, { method: 'HEAD' });
  expect(head.headers.get('content-length')).toBe('100000');
  expect(store.counters().requests).toBe(5);
  expect(store.counters().sentBytes).toBeGreaterThan(101_000);
});

it('serves a second cache', async () => {
  const content = randomBytes(50_000);
  const { digest } = await blobs.putBytes(content);
  const other = mkdtempSync(join(tmpdir(), 'tilepipe-store-'));
  const path = await new BlobCache({ folder: other }).fetch(digest, content.length, store.url());
  expect(path).toBe(join(other, digest));
  rmSync(other, { recursive: true });
});

/** Raw, because clients tidy up paths before they ask. */
function ask(requestLine: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(store.port, '127.0.0.1', () =>
      socket.write(`${requestLine}\r\nhost: x\r\nconnection: close\r\n\r\n`),
    );
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('end', () => resolve(text.split('\r\n')[0] as string));
    socket.on('error', reject);
  });
}

it('gives out nothing but blobs', async () => {
  writeFileSync(join(folder, 'secret'), 'secret');
  const { digest } = await blobs.putBytes(randomBytes(10));
  const hidden = `${digest}.left.part`;
  writeFileSync(join(folder, hidden), 'half');
  const paths = [
    '/',
    '/blobs/',
    '/blobs/secret',
    '/blobs/../secret',
    '/blobs/..%2fsecret',
    `/blobs/${hidden}`,
    `/blobs/${digest}/`,
  ];
  paths.push(
    `/blobs/%2e%2e/${digest}`,
    `/blobs/${digest.toUpperCase()}x`,
    `/blobs/${'0'.repeat(64)}`,
    `/blobs/${digest}%00`,
  );
  for (const path of paths)
    expect([path, await ask(`GET ${path} HTTP/1.1`)]).toEqual([path, 'HTTP/1.1 404 Not Found']);
  expect(await ask(`GET /blobs/${digest} HTTP/1.1`)).toBe('HTTP/1.1 200 OK');
  expect(await ask(`DELETE /blobs/${digest} HTTP/1.1`)).toBe('HTTP/1.1 405 Method Not Allowed');
  expect(store.counters().notFound).toBe(paths.length);
});

it('names the port that is taken, and stops with clients connected', async () => {
  const second = new ModelStore({ blobs, port: store.port });
  await expect(second.start()).rejects.toMatchObject({
    code: 'port-taken',
    message: expect.stringContaining(String(store.port)),
  });
  const socket = connect(store.port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await store.stop();
  await closed;
  expect(store.port).toBe(0);
});
