/** The same frames over a real Mosquitto, MQTT 3.1.1 and 5: every role on connections of its own. */

import { expect, test } from 'vitest';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { compare } from '../../tools/compare.ts';
import { startCluster } from '../support/cluster.ts';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { residualNetwork } from '../support/networks.ts';
import { wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { floatTensor } from '../support/tensors.ts';

for (const protocolVersion of [4, 5] as const) {
  test.skipIf(!mosquittoInstalled)(`frames over Mosquitto, protocol ${protocolVersion}`, async () => {
    const mosquitto = await Mosquitto.start();
    const it = await startCluster({ workers: 2, broker: { url: mosquitto.url, protocolVersion } });
    try {
      const model = residualNetwork();
      await it.deploy(await it.open(model), gridCover(2, 2));
      const uncut = await wholeModel(model);
      for (let seed = 0; seed < 10; seed++) {
        const input = floatTensor('image', [1, 3, 24, 32], randomValues(`mosquitto ${seed}`, [1, 3, 24, 32]));
        const { result, tensors } = await it.client.send([input], 30_000);
        expect(result.error).toBeUndefined();
        expect(compare(tensors, await uncut.run([input])).maxRelDiff).toBeLessThanOrEqual(1e-4);
      }
    } finally {
      await it.stop();
      await mosquitto.stop();
    }
  });
}
