/** Packed protobuf varints, as TensorProto's int32_data, int64_data and uint64_data hold them. */

/** Number of varints in `bytes`: each ends with a byte below 128. */
export function countVarints(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) < 0x80) count++;
  return count;
}

/**
 * The low `size` bytes (1 to 8) of each varint, little-endian: exactly what raw_data would hold, for
 * signed numbers too, because negative ones are sign-extended to 64 bits on the wire.
 */
export function decodeVarints(packed: Uint8Array, size: number, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let low = 0;
  let high = 0;
  let shift = 0;
  let at = 0;
  for (let i = 0; i < packed.length && at + size <= byteLength; i++) {
    const byte = packed[i] as number;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high |= bits >> 4;
    } else if (shift < 64) high |= bits << (shift - 32);
    shift += 7;
    if (byte >= 0x80) continue;
    for (let k = 0; k < size; k++) bytes[at + k] = k < 4 ? low >>> (8 * k) : high >>> (8 * (k - 4));
    at += size;
    low = 0;
    high = 0;
    shift = 0;
  }
  return bytes;
}
