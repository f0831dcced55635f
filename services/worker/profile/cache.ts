/** Profiles kept on disk: a device measures itself once, and again when it, the executor or the model is another. */

import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { validator } from '../../core/runtime/validate.ts';
import { type Profile, profileSchema } from '../../core/schema/generated/profile.ts';

export type ProfileKey = Pick<Profile, 'hardware' | 'executor'> & { readonly measuredFor: string };

const check = validator<Profile>(profileSchema, 'config-invalid');

/** Raised when features or cases change, so that older figures are not taken for new ones. */
const METHOD = 1;

export class ProfileCache {
  readonly #folder: string;

  /** `folder` exists. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The profile of a key, for `device` as it is allowed now; undefined where there is none, or a damaged one. */
  get(key: ProfileKey, device: Pick<Profile, 'device' | 'memoryBytes'>): Profile | undefined {
    try {
      return { ...check(JSON.parse(readFileSync(this.#path(key), 'utf8'))), ...device };
    } catch {
      return undefined;
    }
  }

  /** Keeps all but the link, a matter of where the device is; the memory limit may be another when it is read. */
  put(key: ProfileKey, profile: Profile): void {
    const { link: _, ...rest } = profile;
    const path = this.#path(key);
    writeFileSync(`${path}.${process.pid}`, JSON.stringify(rest));
    renameSync(`${path}.${process.pid}`, path);
  }

  /** File that is there while a process measures for a key. */
  lock(key: ProfileKey): string {
    return `${this.#path(key)}.lock`;
  }

  #path({ hardware, executor, measuredFor }: ProfileKey): string {
    const text = JSON.stringify([METHOD, hardware, executor, measuredFor]);
    return join(this.#folder, `${createHash('sha256').update(text).digest('hex')}.json`);
  }
}
