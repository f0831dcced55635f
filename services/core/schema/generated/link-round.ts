// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * Asks workers to measure their links: each in its turn, then all at once. Every turn has two slots, one to send only, one to send and receive.
 */
export interface LinkRound {
  format: 1;
  /**
   * Name of this round, repeated in what is answered.
   */
  round: string;
  /**
   * Ids of the workers in order of their turns; none: the round under way ends.
   *
   * @maxItems 32
   */
  devices: string[];
  /**
   * Milliseconds of a slot; a device sends during its first half.
   */
  slotMs: number;
}

export const linkRoundSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "link-round.schema.json",
  "title": "LinkRound",
  "description": "Asks workers to measure their links: each in its turn, then all at once. Every turn has two slots, one to send only, one to send and receive.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "format",
    "round",
    "devices",
    "slotMs"
  ],
  "properties": {
    "format": {
      "const": 1
    },
    "round": {
      "type": "string",
      "pattern": "^[A-Za-z0-9_.-]{1,64}$",
      "description": "Name of this round, repeated in what is answered."
    },
    "devices": {
      "type": "array",
      "description": "Ids of the workers in order of their turns; none: the round under way ends.",
      "maxItems": 32,
      "uniqueItems": true,
      "items": {
        "type": "string",
        "pattern": "^[A-Za-z0-9_.-]{1,64}$"
      }
    },
    "slotMs": {
      "type": "integer",
      "minimum": 20,
      "maximum": 1000,
      "description": "Milliseconds of a slot; a device sends during its first half."
    }
  }
};
