/** What a receiver takes. Everything here is part of the protocol (docs/protocol.md). */

/** Version of the envelope and of the metadata; raised only when an old receiver would misread a message. */
export const WIRE_VERSION = 1;

export const ENVELOPE_BYTES = 32;

/**
 * Longest JSON header of a body. A plain message needs 300 to 600 bytes; every tensor adds about 100 and its
 * region as many. 64 KB holds the 256 tensors a message may have, and is still parsed in well under a millisecond.
 */
export const MAX_HEADER_BYTES = 65_536;

export const MAX_TENSORS = 256;

export const MAX_NAME_LENGTH = 512;

/**
 * Longest text of the metadata, in UTF-16 units, by its form. An answer repeats most of what it answers: what a
 * receiver takes must leave it room to answer in a header of its own.
 */
export const MAX_TEXT_LENGTH = { name: 128, topic: 256, text: 1024 } as const;

/** Parts of one message. */
export const MAX_PARTS = 65_535;

/** Largest body a receiver allocates for, unless configured otherwise: 256 MB. */
export const DEFAULT_MAX_BODY_BYTES = 268_435_456;

/** Largest MQTT payload a sender makes by default: most brokers cut at 1 or 2 MB. */
export const DEFAULT_MAX_MESSAGE_BYTES = 900_000;

/** Smallest `maxMessageBytes` a sender accepts. */
export const MIN_MESSAGE_BYTES = 1024;
