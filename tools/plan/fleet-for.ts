/** The devices a plan is made for: those of a file, or this machine alone. */

import type { OpenedModel } from '../../services/controller/prepare.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import { deviceOf, fleetOf } from '../../services/core/planning/cost/fleet-of.ts';
import { readFleet } from '../devices-file.ts';
import { ownProfile } from '../own-profile.ts';

export interface FleetWanted {
  /** A devices.yaml; absent: this machine. */
  readonly devices?: string | undefined;
  /** Measured as well where this machine is; absent: what is true of all models. */
  readonly model?: OpenedModel | undefined;
  readonly threads: number;
  readonly progress: (text: string) => void;
}

/** Throws `config-invalid` where the file or a profile in it cannot be read. */
export async function fleetFor(wanted: FleetWanted): Promise<Fleet> {
  if (wanted.devices !== undefined) return readFleet(wanted.devices);
  const profile = await ownProfile(wanted);
  // The hub of a document that says nothing of it, with one device on it.
  return fleetOf({ devices: [{ name: deviceOf(profile).id, profile }] });
}
