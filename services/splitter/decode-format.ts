/** File types by their first bytes, so that the image library is never asked to guess among all it knows. */

const SIGNATURES = [
  { format: 'JPEG', at: 0, bytes: [0xff, 0xd8, 0xff] },
  { format: 'PNG', at: 0, bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
  // "RIFF", four bytes of length, "WEBP".
  { format: 'WebP', at: 8, bytes: [0x57, 0x45, 0x42, 0x50] },
] as const;

export type PictureFormat = (typeof SIGNATURES)[number]['format'];

/** The type of a picture file, or undefined where it is none of those read. */
export function pictureFormat(file: Uint8Array): PictureFormat | undefined {
  return SIGNATURES.find(({ at, bytes }) => bytes.every((byte, i) => file[at + i] === byte))?.format;
}
