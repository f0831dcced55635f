// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * Asks a worker for a quick look at its link, and is its answer on the same topic. Not retained.
 */
export interface LinkGlance {
  format: 1;
  /**
   * What the worker sends itself through the broker, after one byte.
   */
  bytes: number;
  /**
   * The answer: milliseconds by which it came after that byte, on the way there and back together. Absent: it is asked for.
   */
  ms?: number;
}

export const linkGlanceSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "link-glance.schema.json",
  "title": "LinkGlance",
  "description": "Asks a worker for a quick look at its link, and is its answer on the same topic. Not retained.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "format",
    "bytes"
  ],
  "properties": {
    "format": {
      "const": 1
    },
    "bytes": {
      "type": "integer",
      "minimum": 1024,
      "maximum": 131072,
      "description": "What the worker sends itself through the broker, after one byte."
    },
    "ms": {
      "type": "number",
      "minimum": 0,
      "description": "The answer: milliseconds by which it came after that byte, on the way there and back together. Absent: it is asked for."
    }
  }
};
