import { createHash } from 'node:crypto';

/** A short fingerprint of bytes. */
export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
