// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What `tilepipe zoo --json` prints.
 */
export interface ZooReport {
  /**
   * Seed of the weights: equal seeds make equal files.
   */
  seed: number;
  models: {
    name: string;
    /**
     * What it is, with its paper.
     */
    summary: string;
    /**
     * Path of the .onnx file.
     */
    file: string;
    /**
     * Path of the weights, which the .onnx file refers to.
     */
    weights: string;
    /**
     * Size of the weights, in bytes.
     */
    bytes: number;
    /**
     * Weights and biases, batch normalisation folded into them.
     */
    parameters: number;
    /**
     * False: the same file was there already.
     */
    written: boolean;
    /**
     * Time it took, in milliseconds.
     */
    ms: number;
  }[];
}

export const zooReportSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "zoo-report.schema.json",
  "title": "ZooReport",
  "description": "What `tilepipe zoo --json` prints.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "seed",
    "models"
  ],
  "properties": {
    "seed": {
      "type": "integer",
      "minimum": 0,
      "description": "Seed of the weights: equal seeds make equal files."
    },
    "models": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "name",
          "summary",
          "file",
          "weights",
          "bytes",
          "parameters",
          "written",
          "ms"
        ],
        "properties": {
          "name": {
            "type": "string"
          },
          "summary": {
            "type": "string",
            "description": "What it is, with its paper."
          },
          "file": {
            "type": "string",
            "description": "Path of the .onnx file."
          },
          "weights": {
            "type": "string",
            "description": "Path of the weights, which the .onnx file refers to."
          },
          "bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "Size of the weights, in bytes."
          },
          "parameters": {
            "type": "integer",
            "minimum": 0,
            "description": "Weights and biases, batch normalisation folded into them."
          },
          "written": {
            "type": "boolean",
            "description": "False: the same file was there already."
          },
          "ms": {
            "type": "number",
            "minimum": 0,
            "description": "Time it took, in milliseconds."
          }
        }
      }
    }
  }
};
