/** File types by their first bytes, so that the image library is never asked to guess among all it knows. */

/** `format` as people say it, `library` as the image library does; every one of `marks` must be there. */
const SIGNATURES = [
  { format: 'JPEG', library: 'jpeg', marks: [{ at: 0, bytes: [0xff, 0xd8, 0xff] }] },
  {
    format: 'PNG',
    library: 'png',
    marks: [{ at: 0, bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] }],
  },
  {
    format: 'WebP',
    library: 'webp',
    // "RIFF", four bytes of length, "WEBP".
    marks: [
      { at: 0, bytes: [0x52, 0x49, 0x46, 0x46] },
      { at: 8, bytes: [0x57, 0x45, 0x42, 0x50] },
    ],
  },
] as const;

type PictureFormat = Pick<(typeof SIGNATURES)[number], 'format' | 'library'>;

/** The type of a picture file, or undefined where it is none of those read. */
export function pictureFormat(file: Uint8Array): PictureFormat | undefined {
  return SIGNATURES.find(({ marks }) =>
    marks.every(({ at, bytes }) => bytes.every((byte, i) => file[at + i] === byte)),
  );
}
