import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedBroker } from '../../../services/broker/embedded-broker.ts';
import { MqttBus } from '../../../services/core/bus/mqtt.ts';
import { Topics } from '../../../services/core/bus/topics.ts';
import { SceneCamera } from '../../../tools/demo/camera.ts';
import { Scene } from '../../../tools/demo/scene.ts';

const topic = new Topics().build('frame', { pipeline: 'demo', source: 'scene' });
const picture = { seed: 5, fps: 200, width: 160, height: 96, topic };

describe('SceneCamera', () => {
  const broker = new EmbeddedBroker({ port: 0 });
  let sender: MqttBus;
  let receiver: MqttBus;
  let received: Buffer[];
  /** Resolves when `count` pictures have arrived. */
  let arrived: (count: number) => Promise<void>;

  beforeEach(async () => {
    await broker.start();
    sender = new MqttBus({ url: broker.url });
    receiver = new MqttBus({ url: broker.url });
    await Promise.all([sender.start(), receiver.start()]);
    received = [];
    let waiting: { count: number; resolve: () => void } | undefined;
    arrived = (count) =>
      new Promise((resolve) => {
        waiting = { count, resolve };
        if (received.length >= count) resolve();
      });
    await receiver.subscribe(
      topic,
      ({ payload }) => {
        received.push(Buffer.from(payload));
        if (waiting !== undefined && received.length >= waiting.count) waiting.resolve();
      },
      { qos: 1 },
    );
  });

  afterEach(async () => {
    await Promise.all([sender.stop(), receiver.stop()]);
    await broker.stop();
  });

  it('publishes the number of JPEG pictures it is told, each with its truth', async () => {
    const camera = new SceneCamera({ bus: sender, frames: 5, ...picture });
    camera.start();
    await camera.finished();
    await arrived(5);
    await camera.stop();
    expect(received).toHaveLength(5);
    expect(camera.published).toBe(5);
    const scene = new Scene({ seed: 5, width: 160, height: 96 });
    for (const [frame, file] of received.entries()) {
      expect([...file.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
      const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
      expect(info).toMatchObject({ width: 160, height: 96, channels: 3 });
      const drawn = scene.draw();
      let error = 0;
      for (let at = 0; at < data.length; at++)
        error += Math.abs((data[at] as number) - (drawn[at] as number));
      expect(error / data.length).toBeLessThan(8);
      expect(camera.truth(frame)).toEqual(scene.objects());
      scene.step();
    }
    expect(camera.truth(5)).toBeUndefined();
  });

  it('runs until stopped, and begins anew when started again', async () => {
    const camera = new SceneCamera({ bus: sender, ...picture });
    camera.start();
    await arrived(3);
    await camera.stop();
    const shown = camera.published;
    expect(shown).toBeGreaterThanOrEqual(3);
    await arrived(shown);
    expect(received).toHaveLength(shown);
    camera.start();
    await arrived(shown + 1);
    await camera.stop();
    expect(received[shown]).toEqual(received[0]);
  });

  it('goes on where the broker does not take a picture, and reports why', async () => {
    let failed: (error: unknown) => void = () => undefined;
    const failure = new Promise<unknown>((resolve) => {
      failed = resolve;
    });
    const small = new MqttBus({ url: broker.url, maxMessageBytes: 64 });
    await small.start();
    const camera = new SceneCamera({ bus: small, onError: failed, ...picture });
    camera.start();
    expect(await failure).toMatchObject({ code: 'message-too-large' });
    await camera.stop();
    await small.stop();
    expect(camera.published).toBe(0);
  });

  it('refuses a rate that is none', () => {
    for (const fps of [0, -1, Number.NaN, 1e6]) {
      const camera = new SceneCamera({ bus: sender, ...picture, fps });
      expect(() => camera.start()).toThrow(expect.objectContaining({ code: 'config-invalid' }));
    }
  });
});
