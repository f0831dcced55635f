/** Pictures that codecs are calibrated and plans compared on: real photos where they are, drawn scenes where not. */

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../services/core/runtime/entry.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import { type Crop, croppedJpeg, encodeJpeg } from '../../demo/jpeg.ts';
import { Scene } from '../../demo/scene.ts';

export interface Photos {
  /** Folder of the files alone, as a pipeline's samples are given. */
  readonly folder: string;
  /** By name, the same on every run. */
  readonly files: readonly string[];
  readonly real: boolean;
}

/** At least so many pictures; several crops of each where there are fewer. */
const LEAST = 20;
const PICTURE = /\.(jpe?g|png)$/i;
const QUALITY = 95;
const CROPS: readonly Crop[] = [
  [0, 0, 1, 1],
  [0.15, 0.15, 0.7, 0.7],
  [0.3, 0, 0.7, 0.7],
  [0, 0.3, 0.7, 0.7],
];
const SCENE_SEED = 7;
/** Steps of a scene between two pictures. */
const SCENE_STEPS = 25;

export async function benchPhotos(): Promise<Photos> {
  const from = join(packageRoot(), '..', 'shared', 'images');
  const names = existsSync(from) ? readdirSync(from).filter((name) => PICTURE.test(name)) : [];
  const real = names.length > 0;
  const folder = join(cacheFolder('bench'), real ? 'photos' : 'scenes');
  // Whatever another version made would be among the samples.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files = real
    ? await crops(
        names.sort().map((name) => join(from, name)),
        folder,
      )
    : await scenes(folder);
  return { folder, files, real };
}

/** The whole pictures first, then their first crops. */
async function crops(pictures: readonly string[], folder: string): Promise<string[]> {
  const made: string[] = [];
  for (const [number, crop] of CROPS.entries()) {
    if (number > 0 && made.length >= LEAST) break;
    for (const [at, file] of pictures.entries()) {
      const path = join(folder, `${number}-${String(at).padStart(2, '0')}.jpg`);
      writeFileSync(path, await croppedJpeg(file, crop, QUALITY));
      made.push(path);
    }
  }
  return made;
}

async function scenes(folder: string): Promise<string[]> {
  const scene = new Scene({ seed: SCENE_SEED });
  const made: string[] = [];
  for (let at = 0; at < LEAST; at++) {
    for (let step = 0; step < SCENE_STEPS; step++) scene.step();
    const path = join(folder, `${String(at).padStart(2, '0')}.jpg`);
    writeFileSync(path, await encodeJpeg(scene.draw(), scene.width, scene.height));
    made.push(path);
  }
  return made;
}
