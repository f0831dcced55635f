// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What the model folder keeps beside each model, and what `tilepipe model add --json` prints.
 */
export interface ModelNote {
  name: string;
  file: string;
  sha256: string;
  bytes: number;
  source?: string;
  licence?: string;
  labels?: string;
  added?: string;
}

export const modelNoteSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "model-note.schema.json",
  "title": "ModelNote",
  "description": "What the model folder keeps beside each model, and what `tilepipe model add --json` prints.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "name",
    "file",
    "sha256",
    "bytes"
  ],
  "properties": {
    "name": {
      "type": "string"
    },
    "file": {
      "type": "string"
    },
    "sha256": {
      "type": "string"
    },
    "bytes": {
      "type": "integer",
      "minimum": 0
    },
    "source": {
      "type": "string"
    },
    "licence": {
      "type": "string"
    },
    "labels": {
      "type": "string"
    },
    "added": {
      "type": "string"
    }
  }
};
