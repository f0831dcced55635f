import { expect, test } from 'vitest';
import { listenAddress } from '../../tools/listen-address.ts';

test.each([
  ['1884', { port: 1884 }],
  ['0', { port: 0 }],
  ['10.0.0.7:1884', { host: '10.0.0.7', port: 1884 }],
  ['[fd00::7]:0', { host: 'fd00::7', port: 0 }],
])('%s is a place to listen', (text, address) => {
  expect(listenAddress(text)).toEqual(address);
});

test.each(['', '65536', ':1884', 'hub.local:1884', '10.0.0.7:', 'mqtt://10.0.0.7:1884'])(
  '"%s" is none',
  (text) => {
    expect(() => listenAddress(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  },
);
