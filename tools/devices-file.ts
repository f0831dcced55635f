/** Reads `devices.yaml`: the machines a plan is made for, with the profiles it names. */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Fleet } from '../services/core/planning/cost/fleet.ts';
import { fleetOf } from '../services/core/planning/cost/fleet-of.ts';
import { loadConfig } from '../services/core/runtime/config.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { validator } from '../services/core/runtime/validate.ts';
import { type Devices, devicesSchema } from '../services/core/schema/generated/devices.ts';
import { type Profile, profileSchema } from '../services/core/schema/generated/profile.ts';
import { checkedName } from './device-name.ts';

const checkDevices = validator<Devices>(devicesSchema, 'config-invalid');
const checkProfile = validator<Profile>(profileSchema, 'config-invalid');

/** A profile file, as `tilepipe profile --output` writes it. Throws `config-invalid`. */
export function readProfileFile(path: string): Profile {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new TilepipeError('config-invalid', `${path}: ${(error as Error).message}`, { cause: error });
  }
  return checkProfile(document, path);
}

/** The document with every profile file read into it; paths are relative to its folder. Throws `config-invalid`. */
export function readDevicesFile(path: string): Devices {
  const document = loadConfig(path, checkDevices);
  const folder = dirname(resolve(path));
  named(path, () => document.devices.map(({ name }) => checkedName(name, 'config-invalid')));
  const devices = document.devices.map((entry) =>
    typeof entry.profile === 'string'
      ? { ...entry, profile: readProfileFile(resolve(folder, entry.profile)) }
      : entry,
  );
  return { ...document, devices } as Devices;
}

/** The fleet of a devices file. Throws `config-invalid`, naming the file. */
export function readFleet(path: string): Fleet {
  const document = readDevicesFile(path);
  return named(path, () => fleetOf(document));
}

/** What is wrong with a document is said with its file. */
function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TilepipeError)) throw error;
    throw new TilepipeError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}
