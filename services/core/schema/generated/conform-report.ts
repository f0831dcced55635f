// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What `tilepipe conform --json` prints.
 */
export interface ConformReport {
  command: string;
  rules: {
    id: string;
    title: string;
    pass: boolean;
    detail?: string;
  }[];
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
          "title",
          "pass"
        ],
        "properties": {
          "id": {
            "type": "string"
          },
          "title": {
            "type": "string"
          },
          "pass": {
            "type": "boolean"
          },
          "detail": {
            "type": "string"
          }
        }
      }
    },
    "pass": {
      "type": "boolean"
    }
  }
};
