/** Why bytes are no message: one reason per failure, in the order in which a receiver looks. */

import { TilepipeError } from '../runtime/errors.ts';

export const WIRE_REASONS = {
  'too-short': 'fewer bytes than an envelope',
  magic: 'does not begin with TPIP',
  version: 'a version this receiver does not speak',
  kind: 'no such message kind',
  flags: 'a flag this receiver does not know',
  'part-index': 'part index is not below the part count, or there are no parts',
  'body-size': 'declared body is shorter than an empty one or longer than the receiver takes',
  'part-arithmetic': 'offset, length, index and count of the part do not fit the body',
  checksum: 'CRC-32 of the payload differs',
  'part-conflict': 'disagrees with earlier parts of the same message',
  'header-length': 'header does not fit its body, is not a multiple of 8, or exceeds 65536 bytes',
  'header-text': 'header is not UTF-8 text of one JSON object',
  metadata: '__metadata__ is not an object of strings',
  'metadata-kind': 'kind in the metadata differs from the envelope',
  'metadata-value': 'a known metadata field has an impossible value',
  'tensor-count': 'more than 256 tensors',
  'tensor-name': 'an impossible tensor name',
  'tensor-entry': 'a tensor entry is not {dtype, shape, data_offsets}',
  'tensor-dtype': 'no such element type',
  'tensor-shape': 'more than 8 axes, or an extent that is no natural number',
  'tensor-offsets': 'offsets are no ordered pair inside the data',
  'tensor-bytes': 'offsets and shape disagree',
  'tensor-gap': 'tensors overlap, or leave bytes of the data unclaimed',
  region: 'a region is malformed, names no tensor, or has another extent than its tensor',
  codec: 'a codec this receiver does not have, or that does not fit the tensor',
} as const;

export type WireReason = keyof typeof WIRE_REASONS;

/** `wire-invalid`, with the reason as a word that programs count. */
export class WireError extends TilepipeError {
  readonly reason: WireReason;

  constructor(reason: WireReason, detail?: string) {
    super('wire-invalid', `${reason}: ${WIRE_REASONS[reason]}${detail === undefined ? '' : ` (${detail})`}`);
    this.name = 'WireError';
    this.reason = reason;
  }
}
