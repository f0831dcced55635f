// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What `tilepipe inspect --json` prints.
 */
export interface InspectReport {
  model: string;
  digest?: string;
  opset: number;
  nodes: number;
  macs: number;
  tileableMacShare: number;
  weightBytes: number;
  /**
   * Largest sum of live tensors over the topological order, of the uncut model.
   */
  activationPeakBytes?: number;
  inputs: {
    name: string;
    dtype: string;
    shape: number[];
  }[];
  outputs: {
    name: string;
    dtype: string;
    shape: number[];
  }[];
  grid?: string;
  blocks: {
    id: number;
    kind: 'tile' | 'whole' | 'shard' | 'partial';
    nodes: number;
    macs: number;
    weightBytes: number;
    activationPeakBytes?: number;
    tiles: number;
    /**
     * MACs of all tiles divided by MACs of the block.
     */
    redundancy?: number;
    first?: string;
    last?: string;
    /**
     * Tensors that leave the block.
     */
    cut: {
      tensor: string;
      shape: number[];
      bytes: number;
    }[];
    reason?: string;
  }[];
  whole: {
    node: string;
    op: string;
    reason: string;
  }[];
}

export const inspectReportSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "inspect-report.schema.json",
  "title": "InspectReport",
  "description": "What `tilepipe inspect --json` prints.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "model",
    "inputs",
    "outputs",
    "opset",
    "nodes",
    "macs",
    "tileableMacShare",
    "weightBytes",
    "blocks",
    "whole"
  ],
  "properties": {
    "model": {
      "type": "string"
    },
    "digest": {
      "type": "string"
    },
    "opset": {
      "type": "integer",
      "minimum": 0
    },
    "nodes": {
      "type": "integer",
      "minimum": 0
    },
    "macs": {
      "type": "number",
      "minimum": 0
    },
    "tileableMacShare": {
      "type": "number",
      "minimum": 0,
      "maximum": 1
    },
    "weightBytes": {
      "type": "integer",
      "minimum": 0
    },
    "activationPeakBytes": {
      "type": "integer",
      "minimum": 0,
      "description": "Largest sum of live tensors over the topological order, of the uncut model."
    },
    "inputs": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "name",
          "dtype",
          "shape"
        ],
        "properties": {
          "name": {
            "type": "string"
          },
          "dtype": {
            "type": "string"
          },
          "shape": {
            "type": "array",
            "items": {
              "type": "integer",
              "minimum": 0
            }
          }
        }
      }
    },
    "outputs": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "name",
          "dtype",
          "shape"
        ],
        "properties": {
          "name": {
            "type": "string"
          },
          "dtype": {
            "type": "string"
          },
          "shape": {
            "type": "array",
            "items": {
              "type": "integer",
              "minimum": 0
            }
          }
        }
      }
    },
    "grid": {
      "type": "string"
    },
    "blocks": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "id",
          "kind",
          "nodes",
          "macs",
          "weightBytes",
          "tiles",
          "cut"
        ],
        "properties": {
          "id": {
            "type": "integer",
            "minimum": 0
          },
          "kind": {
            "enum": [
              "tile",
              "whole",
              "shard",
              "partial"
            ]
          },
          "nodes": {
            "type": "integer",
            "minimum": 0
          },
          "macs": {
            "type": "number",
            "minimum": 0
          },
          "weightBytes": {
            "type": "integer",
            "minimum": 0
          },
          "activationPeakBytes": {
            "type": "integer",
            "minimum": 0
          },
          "tiles": {
            "type": "integer",
            "minimum": 0
          },
          "redundancy": {
            "type": "number",
            "minimum": 0,
            "description": "MACs of all tiles divided by MACs of the block."
          },
          "first": {
            "type": "string"
          },
          "last": {
            "type": "string"
          },
          "cut": {
            "type": "array",
            "items": {
              "type": "object",
              "additionalProperties": false,
              "required": [
                "tensor",
                "shape",
                "bytes"
              ],
              "properties": {
                "tensor": {
                  "type": "string"
                },
                "shape": {
                  "type": "array",
                  "items": {
                    "type": "integer",
                    "minimum": 0
                  }
                },
                "bytes": {
                  "type": "integer",
                  "minimum": 0
                }
              }
            },
            "description": "Tensors that leave the block."
          },
          "reason": {
            "type": "string"
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
    }
  }
};
