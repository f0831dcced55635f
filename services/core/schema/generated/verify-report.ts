// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What `tilepipe verify --json` prints.
 */
export interface VerifyReport {
  model: string;
  inputShape: number[];
  macs: number;
  /**
   * Share of the multiply-accumulates that can be tiled, whatever the grid.
   */
  tileableMacShare: number;
  tolerance?: number;
  cases: {
    grid: string;
    blocks: number;
    tiles: number;
    /**
     * Largest difference of any output element; null where it is not a number.
     */
    maxAbsDiff: number | null;
    /**
     * Per output max|a-b| / max|b|, the worst of all outputs.
     */
    maxRelDiff: number | null;
    pass: boolean;
    /**
     * Why the case failed.
     */
    reason?: string;
    wholeBlocks?: number;
    /**
     * With --halo: tasks whose workers keep what they made and fetch the rest from other workers.
     */
    keptTasks?: number;
    milliseconds?: number;
    /**
     * Share of the multiply-accumulates that ran tiled in this case.
     */
    tiledMacShare?: number;
  }[];
  whole: {
    node: string;
    op: string;
    reason: string;
  }[];
  /**
   * With --codec: what it saves and loses at each place where one tensor alone crosses, the others left as they are.
   */
  codec?: {
    name: 'fp16' | 'uint8';
    /**
     * Pictures it was measured on.
     */
    samples: number;
    cuts: {
      tensor: string;
      /**
       * Share of the multiply-accumulates before it.
       */
      macShare: number;
      /**
       * As it is.
       */
      bytes: number;
      /**
       * By the codec.
       */
      codedBytes: number;
      /**
       * By the codec, then deflated; mean of the samples.
       */
      deflatedBytes: number;
      /**
       * Root mean square error of the worst output over its root mean square, all samples together; null where it is not a number.
       */
      relativeRms: number | null;
      /**
       * Per output and sample max|a-b| / max|b|, the worst; null where it is not a number.
       */
      maxRelDiff: number | null;
      /**
       * Share of what the answers say that agrees; absent where answers are raw tensors or nothing was found.
       */
      labels?: number;
    }[];
  };
  pass: boolean;
  /**
   * Relative difference between two runs of the uncut model itself, with and without the executor's graph optimisation.
   */
  numericFloor?: number;
}

export const verifyReportSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "verify-report.schema.json",
  "title": "VerifyReport",
  "description": "What `tilepipe verify --json` prints.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "model",
    "inputShape",
    "macs",
    "tileableMacShare",
    "cases",
    "whole",
    "pass"
  ],
  "properties": {
    "model": {
      "type": "string"
    },
    "inputShape": {
      "type": "array",
      "items": {
        "type": "integer",
        "minimum": 0
      }
    },
    "macs": {
      "type": "number",
      "minimum": 0
    },
    "tileableMacShare": {
      "type": "number",
      "minimum": 0,
      "maximum": 1,
      "description": "Share of the multiply-accumulates that can be tiled, whatever the grid."
    },
    "tolerance": {
      "type": "number",
      "minimum": 0
    },
    "cases": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "grid",
          "blocks",
          "tiles",
          "maxAbsDiff",
          "maxRelDiff",
          "pass"
        ],
        "properties": {
          "grid": {
            "type": "string"
          },
          "blocks": {
            "type": "integer",
            "minimum": 0
          },
          "tiles": {
            "type": "integer",
            "minimum": 0
          },
          "maxAbsDiff": {
            "type": [
              "number",
              "null"
            ],
            "description": "Largest difference of any output element; null where it is not a number."
          },
          "maxRelDiff": {
            "type": [
              "number",
              "null"
            ],
            "description": "Per output max|a-b| / max|b|, the worst of all outputs."
          },
          "pass": {
            "type": "boolean"
          },
          "reason": {
            "type": "string",
            "description": "Why the case failed."
          },
          "wholeBlocks": {
            "type": "integer",
            "minimum": 0
          },
          "keptTasks": {
            "type": "integer",
            "minimum": 0,
            "description": "With --halo: tasks whose workers keep what they made and fetch the rest from other workers."
          },
          "milliseconds": {
            "type": "number",
            "minimum": 0
          },
          "tiledMacShare": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "Share of the multiply-accumulates that ran tiled in this case."
          }
        }
      }
    },
    "whole": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "node",
          "op",
          "reason"
        ],
        "properties": {
          "node": {
            "type": "string"
          },
          "op": {
            "type": "string"
          },
          "reason": {
            "type": "string"
          }
        }
      }
    },
    "codec": {
      "type": "object",
      "additionalProperties": false,
      "description": "With --codec: what it saves and loses at each place where one tensor alone crosses, the others left as they are.",
      "required": [
        "name",
        "samples",
        "cuts"
      ],
      "properties": {
        "name": {
          "enum": [
            "fp16",
            "uint8"
          ]
        },
        "samples": {
          "type": "integer",
          "minimum": 1,
          "description": "Pictures it was measured on."
        },
        "cuts": {
          "type": "array",
          "items": {
            "type": "object",
            "additionalProperties": false,
            "required": [
              "tensor",
              "macShare",
              "bytes",
              "codedBytes",
              "deflatedBytes",
              "relativeRms",
              "maxRelDiff"
            ],
            "properties": {
              "tensor": {
                "type": "string"
              },
              "macShare": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "description": "Share of the multiply-accumulates before it."
              },
              "bytes": {
                "type": "integer",
                "minimum": 0,
                "description": "As it is."
              },
              "codedBytes": {
                "type": "integer",
                "minimum": 0,
                "description": "By the codec."
              },
              "deflatedBytes": {
                "type": "integer",
                "minimum": 0,
                "description": "By the codec, then deflated; mean of the samples."
              },
              "relativeRms": {
                "type": [
                  "number",
                  "null"
                ],
                "description": "Root mean square error of the worst output over its root mean square, all samples together; null where it is not a number."
              },
              "maxRelDiff": {
                "type": [
                  "number",
                  "null"
                ],
                "description": "Per output and sample max|a-b| / max|b|, the worst; null where it is not a number."
              },
              "labels": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "description": "Share of what the answers say that agrees; absent where answers are raw tensors or nothing was found."
              }
            }
          }
        }
      }
    },
    "pass": {
      "type": "boolean"
    },
    "numericFloor": {
      "type": "number",
      "minimum": 0,
      "description": "Relative difference between two runs of the uncut model itself, with and without the executor's graph optimisation."
    }
  }
};
