// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What workers measured of their links, each alone and all at once, and what they share.
 */
export interface LinksReport {
  /**
   * Which round, as in the profiles.
   */
  round: string;
  devices: LinkRow[];
  /**
   * What the figures show that several have in common; absent: nothing.
   */
  shared?: {
    devices: string[];
    /**
     * In one direction (full), or in both together (half).
     */
    bytesPerMs: number;
    duplex: 'half' | 'full';
    /**
     * devices: in place of a link each; hub: the hub's own link, beside theirs.
     */
    place: 'devices' | 'hub';
  };
}
export interface LinkRow {
  id: string;
  /**
   * Of one way, when it started.
   */
  latencyMs: number;
  /**
   * Alone: sent while nothing came back.
   */
  aloneOutBytesPerMs: number;
  /**
   * Alone: of each direction, while it sent and received at once.
   */
  aloneBothBytesPerMs: number;
  /**
   * All at once: sent while nothing came back.
   */
  outBytesPerMs: number;
  /**
   * All at once: of each direction, while it sent and received at once.
   */
  bothBytesPerMs: number;
}

export const linksReportSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "links-report.schema.json",
  "title": "LinksReport",
  "description": "What workers measured of their links, each alone and all at once, and what they share.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "round",
    "devices"
  ],
  "properties": {
    "round": {
      "type": "string",
      "description": "Which round, as in the profiles."
    },
    "devices": {
      "type": "array",
      "items": {
        "type": "object",
        "title": "LinkRow",
        "additionalProperties": false,
        "required": [
          "id",
          "latencyMs",
          "aloneOutBytesPerMs",
          "aloneBothBytesPerMs",
          "outBytesPerMs",
          "bothBytesPerMs"
        ],
        "properties": {
          "id": {
            "type": "string"
          },
          "latencyMs": {
            "type": "number",
            "minimum": 0,
            "description": "Of one way, when it started."
          },
          "aloneOutBytesPerMs": {
            "type": "number",
            "description": "Alone: sent while nothing came back."
          },
          "aloneBothBytesPerMs": {
            "type": "number",
            "description": "Alone: of each direction, while it sent and received at once."
          },
          "outBytesPerMs": {
            "type": "number",
            "description": "All at once: sent while nothing came back."
          },
          "bothBytesPerMs": {
            "type": "number",
            "description": "All at once: of each direction, while it sent and received at once."
          }
        }
      }
    },
    "shared": {
      "type": "object",
      "description": "What the figures show that several have in common; absent: nothing.",
      "additionalProperties": false,
      "required": [
        "devices",
        "bytesPerMs",
        "duplex",
        "place"
      ],
      "properties": {
        "devices": {
          "type": "array",
          "items": {
            "type": "string"
          }
        },
        "bytesPerMs": {
          "type": "number",
          "description": "In one direction (full), or in both together (half)."
        },
        "duplex": {
          "enum": [
            "half",
            "full"
          ]
        },
        "place": {
          "enum": [
            "devices",
            "hub"
          ],
          "description": "devices: in place of a link each; hub: the hub's own link, beside theirs."
        }
      }
    }
  }
};
