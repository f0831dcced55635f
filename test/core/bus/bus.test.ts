import { describe, test } from 'vitest';
import { EmbeddedBroker } from '../../../services/broker/embedded-broker.ts';
import { LocalBus } from '../../../services/broker/local-bus.ts';
import { MqttBus } from '../../../services/core/bus/mqtt.ts';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { type BusWorld, busSuite } from './bus-suite.ts';

async function embedded(): Promise<EmbeddedBroker> {
  const broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  return broker;
}

busSuite('MqttBus on the embedded broker', async (): Promise<BusWorld> => {
  const broker = await embedded();
  return { bus: () => new MqttBus({ url: broker.url }), stop: () => broker.stop() };
});

busSuite('LocalBus', async (): Promise<BusWorld> => {
  const broker = await embedded();
  return { bus: () => new LocalBus({ broker }), stop: () => broker.stop() };
});

for (const protocolVersion of [4, 5] as const) {
  const name = `MqttBus on Mosquitto, MQTT ${protocolVersion === 4 ? '3.1.1' : '5'}`;
  if (!mosquittoInstalled) {
    describe(name, () => {
      test.skip('mosquitto is not installed', () => {});
    });
    continue;
  }
  busSuite(name, async (): Promise<BusWorld> => {
    const broker = await Mosquitto.start();
    return { bus: () => new MqttBus({ url: broker.url, protocolVersion }), stop: () => broker.stop() };
  });
}
