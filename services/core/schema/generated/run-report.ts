// Generated from schemas/ by `npm run generate`. Do not edit.

import { type Result, resultSchema } from './result.ts';

/**
 * What `tilepipe run --json` prints.
 */
export interface RunReport {
  model: string;
  plan: string;
  grid: string;
  workers: number;
  blocks?: number;
  tiles?: number;
  bytesMoved: number;
  slowestTile?: {
    task: string;
    worker: string;
    ms: number;
  };
  /**
   * One result per frame.
   */
  results: Result[];
}

const { $schema: _resultSchema, $id: _resultSchemaId, ...resultSchemaPart } = resultSchema;
export const runReportSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "run-report.schema.json",
  "title": "RunReport",
  "description": "What `tilepipe run --json` prints.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "model",
    "plan",
    "grid",
    "workers",
    "results",
    "bytesMoved"
  ],
  "properties": {
    "model": {
      "type": "string"
    },
    "plan": {
      "type": "string"
    },
    "grid": {
      "type": "string"
    },
    "workers": {
      "type": "integer",
      "minimum": 0
    },
    "blocks": {
      "type": "integer",
      "minimum": 0
    },
    "tiles": {
      "type": "integer",
      "minimum": 0
    },
    "bytesMoved": {
      "type": "integer",
      "minimum": 0
    },
    "slowestTile": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "task",
        "worker",
        "ms"
      ],
      "properties": {
        "task": {
          "type": "string"
        },
        "worker": {
          "type": "string"
        },
        "ms": {
          "type": "number",
          "minimum": 0
        }
      }
    },
    "results": {
      "type": "array",
      "items": resultSchemaPart,
      "description": "One result per frame."
    }
  }
};
