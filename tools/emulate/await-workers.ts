/** A process on the hub that ends when so many workers are online: `node await-workers.js <broker> <count>`. */

import { Connections } from '../../services/core/bus/connections.ts';
import { Roster } from '../../services/core/control/roster.ts';
import { parseStatus } from '../../services/core/runtime/status.ts';

const CONNECT_MS = 60_000;

const [url = '', count = '0'] = process.argv.slice(2);
process.once('disconnect', () => process.exit(1));
const channels = new Connections({ url, service: 'emulation', connectTimeoutMs: CONNECT_MS });
await channels.start();
const { control, topics } = channels;
await new Promise<void>((resolve, reject) => {
  const changed = (): void => {
    if (roster.online().length >= Number(count)) resolve();
  };
  const roster = new Roster({ control, topics, role: 'worker', parse: parseStatus, changed });
  roster.start().then(changed, reject);
});
await channels.stop();
process.exit(0);
