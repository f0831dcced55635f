// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What `tilepipe conform --json` prints.
 */
export interface ConformReport {
  command: string;
  rules: {
    id: string;
    title: string;
    /**
     * Absent: it could not be told; the detail says why.
     */
    pass?: boolean;
    detail?: string;
  }[];
  /**
   * Whether no rule was seen to be broken.
   */
  pass: boolean;
}

export const conformReportSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "conform-report.schema.json",
  "title": "ConformReport",
  "description": "What `tilepipe conform --json` prints.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "command",
    "rules",
    "pass"
  ],
  "properties": {
    "command": {
      "type": "string"
    },
    "rules": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "id",
          "title"
        ],
        "properties": {
          "id": {
            "type": "string"
          },
          "title": {
            "type": "string"
          },
          "pass": {
            "type": "boolean",
            "description": "Absent: it could not be told; the detail says why."
          },
          "detail": {
            "type": "string"
          }
        }
      }
    },
    "pass": {
      "type": "boolean",
      "description": "Whether no rule was seen to be broken."
    }
  }
};
