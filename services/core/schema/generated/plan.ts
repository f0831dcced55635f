// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * A plan: the dataflow graph of one pipeline as tasks and transfers. Content-addressed: its digest is the SHA-256 of its canonical JSON.
 */
export interface Plan {
  /**
   * Version of this document.
   */
  format: 1;
  pipeline: string;
  model: {
    /**
     * SHA-256, lower-case hexadecimal.
     */
    digest: string;
    name: string;
  };
  /**
   * Tensors the frame supplies.
   *
   * @minItems 1
   */
  inputs: string[];
  /**
   * Tensors the result consists of.
   *
   * @minItems 1
   */
  outputs: string[];
  /**
   * Every tensor that travels.
   */
  tensors: {
    [k: string]: {
      dtype:
        | 'float32'
        | 'float16'
        | 'float64'
        | 'bfloat16'
        | 'int8'
        | 'uint8'
        | 'int16'
        | 'uint16'
        | 'int32'
        | 'uint32'
        | 'int64'
        | 'uint64'
        | 'bool';
      shape: number[];
      /**
       * Axes of rows and columns, where the tensor has them.
       *
       * @minItems 2
       * @maxItems 2
       */
      spatial?: number[];
      /**
       * For people: the tensor is the short form of one of the model's, written and read back inside the sub-models.
       */
      codec?: {
        /**
         * The model's tensor.
         */
        of: string;
        codec: 'fp16' | 'uint8';
        /**
         * uint8: value = (byte - zeroPoint) * scale.
         */
        scale?: number;
        zeroPoint?: number;
      };
    };
  };
  /**
   * @minItems 1
   */
  blocks: {
    id: number;
    kind: 'tile' | 'whole' | 'shard' | 'partial';
    nodes: number;
    macs: number;
    weightBytes: number;
    /**
     * Why it runs whole.
     */
    reason?: string;
  }[];
  /**
   * `source` supplies the frame, `sink` collects the result, `run` executes a sub-model.
   *
   * @minItems 3
   */
  tasks: {
    id: string;
    kind: 'source' | 'run' | 'sink';
    block?: number;
    /**
     * Tile or shard within the block.
     */
    index?: number;
    /**
     * What part of its block the task is.
     */
    shape?: 'tile' | 'whole' | 'shard' | 'partial';
    /**
     * Sub-model, by digest.
     */
    model?: string;
    inputs: {
      tensor: string;
      /**
       * One half-open range [begin, end) per axis, in elements.
       */
      region: [begin: number, end: number][];
    }[];
    outputs: {
      tensor: string;
      /**
       * One half-open range [begin, end) per axis, in elements.
       */
      region: [begin: number, end: number][];
    }[];
    /**
     * Workers that may run it, the preferred first; absent: any worker that holds the sub-model (late binding).
     *
     * @minItems 1
     */
    devices?: string[];
    /**
     * Who collects its inputs: the splitter or merger, which sends them as one message (default), or the worker itself, fed by direct transfers; then `devices` names exactly one.
     */
    gather?: 'dispatcher' | 'worker';
    /**
     * Frames whose number modulo the replica count equals this take this task; absent: all frames.
     */
    replica?: number;
    macs?: number;
    memoryBytes?: number;
    predictedMs?: number;
  }[];
  /**
   * Producer region to consumer region. Regions that enter one consumer input cover it exactly.
   */
  transfers: {
    from: string;
    to: string;
    tensor: string;
    /**
     * One half-open range [begin, end) per axis, in elements.
     */
    region: [begin: number, end: number][];
    /**
     * How its elements are written on the wire. raw, deflate, png and webp lose nothing. fp16 and uint8 are for float32, pictures for uint8 of 1 or 3 channels. A task's input that a dispatcher sends is deflated, or a picture, where all transfers into it say so.
     */
    codec?: 'raw' | 'fp16' | 'uint8' | 'deflate' | 'fp16+deflate' | 'uint8+deflate' | 'png' | 'webp' | 'jpeg';
    /**
     * Worker whose own broker carries it, at the address in that worker's status: the one device of the task it is for. Absent, and where that broker cannot be reached: the pipeline's.
     */
    endpoint?: string;
    predictedMs?: number;
  }[];
  /**
   * Sub-model files and the weight files they refer to.
   */
  models: {
    /**
     * SHA-256, lower-case hexadecimal.
     */
    digest: string;
    bytes: number;
    weights: {
      /**
       * SHA-256, lower-case hexadecimal.
       */
      digest: string;
      bytes: number;
    }[];
  }[];
  replicas?: number;
  /**
   * exact (where it is absent): no transfer and no tensor has a codec that changes values.
   */
  accuracy?: 'exact' | 'budgeted';
  predicted?: {
    latencyMs?: number;
    framesPerSecond?: number;
    bytesPerFrame?: number;
    bottleneck?: string;
  };
}

export const planSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "plan.schema.json",
  "title": "Plan",
  "description": "A plan: the dataflow graph of one pipeline as tasks and transfers. Content-addressed: its digest is the SHA-256 of its canonical JSON.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "format",
    "pipeline",
    "model",
    "inputs",
    "outputs",
    "tensors",
    "blocks",
    "tasks",
    "transfers",
    "models"
  ],
  "properties": {
    "format": {
      "const": 1,
      "description": "Version of this document."
    },
    "pipeline": {
      "type": "string",
      "pattern": "^[A-Za-z0-9_.-]{1,64}$"
    },
    "model": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "digest",
        "name"
      ],
      "properties": {
        "digest": {
          "type": "string",
          "pattern": "^[0-9a-f]{64}$",
          "description": "SHA-256, lower-case hexadecimal."
        },
        "name": {
          "type": "string"
        }
      }
    },
    "inputs": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "minItems": 1,
      "description": "Tensors the frame supplies."
    },
    "outputs": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "minItems": 1,
      "description": "Tensors the result consists of."
    },
    "tensors": {
      "type": "object",
      "description": "Every tensor that travels.",
      "additionalProperties": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "dtype",
          "shape"
        ],
        "properties": {
          "dtype": {
            "type": "string",
            "enum": [
              "float32",
              "float16",
              "float64",
              "bfloat16",
              "int8",
              "uint8",
              "int16",
              "uint16",
              "int32",
              "uint32",
              "int64",
              "uint64",
              "bool"
            ]
          },
          "shape": {
            "type": "array",
            "items": {
              "type": "integer",
              "minimum": 0
            }
          },
          "spatial": {
            "type": "array",
            "items": {
              "type": "integer",
              "minimum": 0
            },
            "minItems": 2,
            "maxItems": 2,
            "description": "Axes of rows and columns, where the tensor has them."
          },
          "codec": {
            "type": "object",
            "description": "For people: the tensor is the short form of one of the model's, written and read back inside the sub-models.",
            "additionalProperties": false,
            "required": [
              "of",
              "codec"
            ],
            "properties": {
              "of": {
                "type": "string",
                "description": "The model's tensor."
              },
              "codec": {
                "enum": [
                  "fp16",
                  "uint8"
                ]
              },
              "scale": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "uint8: value = (byte - zeroPoint) * scale."
              },
              "zeroPoint": {
                "type": "integer",
                "minimum": 0,
                "maximum": 255
              }
            }
          }
        }
      }
    },
    "blocks": {
      "type": "array",
      "minItems": 1,
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "id",
          "kind",
          "nodes",
          "macs",
          "weightBytes"
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
          "reason": {
            "type": "string",
            "description": "Why it runs whole."
          }
        }
      }
    },
    "tasks": {
      "type": "array",
      "minItems": 3,
      "description": "`source` supplies the frame, `sink` collects the result, `run` executes a sub-model.",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "id",
          "kind",
          "inputs",
          "outputs"
        ],
        "properties": {
          "id": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_.-]{1,64}$"
          },
          "kind": {
            "enum": [
              "source",
              "run",
              "sink"
            ]
          },
          "block": {
            "type": "integer",
            "minimum": 0
          },
          "index": {
            "type": "integer",
            "minimum": 0,
            "description": "Tile or shard within the block."
          },
          "shape": {
            "enum": [
              "tile",
              "whole",
              "shard",
              "partial"
            ],
            "description": "What part of its block the task is."
          },
          "model": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "Sub-model, by digest."
          },
          "inputs": {
            "type": "array",
            "items": {
              "type": "object",
              "additionalProperties": false,
              "required": [
                "tensor",
                "region"
              ],
              "properties": {
                "tensor": {
                  "type": "string"
                },
                "region": {
                  "type": "array",
                  "description": "One half-open range [begin, end) per axis, in elements.",
                  "items": {
                    "type": "array",
                    "items": {
                      "type": "integer",
                      "minimum": 0
                    },
                    "minItems": 2,
                    "maxItems": 2
                  },
                  "tsType": "[begin: number, end: number][]"
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
                "tensor",
                "region"
              ],
              "properties": {
                "tensor": {
                  "type": "string"
                },
                "region": {
                  "type": "array",
                  "description": "One half-open range [begin, end) per axis, in elements.",
                  "items": {
                    "type": "array",
                    "items": {
                      "type": "integer",
                      "minimum": 0
                    },
                    "minItems": 2,
                    "maxItems": 2
                  },
                  "tsType": "[begin: number, end: number][]"
                }
              }
            }
          },
          "devices": {
            "type": "array",
            "items": {
              "type": "string",
              "pattern": "^[A-Za-z0-9_.-]{1,64}$"
            },
            "minItems": 1,
            "uniqueItems": true,
            "description": "Workers that may run it, the preferred first; absent: any worker that holds the sub-model (late binding)."
          },
          "gather": {
            "enum": [
              "dispatcher",
              "worker"
            ],
            "description": "Who collects its inputs: the splitter or merger, which sends them as one message (default), or the worker itself, fed by direct transfers; then `devices` names exactly one."
          },
          "replica": {
            "type": "integer",
            "minimum": 0,
            "description": "Frames whose number modulo the replica count equals this take this task; absent: all frames."
          },
          "macs": {
            "type": "number",
            "minimum": 0
          },
          "memoryBytes": {
            "type": "integer",
            "minimum": 0
          },
          "predictedMs": {
            "type": "number",
            "minimum": 0
          }
        }
      }
    },
    "transfers": {
      "type": "array",
      "description": "Producer region to consumer region. Regions that enter one consumer input cover it exactly.",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "from",
          "to",
          "tensor",
          "region"
        ],
        "properties": {
          "from": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_.-]{1,64}$"
          },
          "to": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_.-]{1,64}$"
          },
          "tensor": {
            "type": "string"
          },
          "region": {
            "type": "array",
            "description": "One half-open range [begin, end) per axis, in elements.",
            "items": {
              "type": "array",
              "items": {
                "type": "integer",
                "minimum": 0
              },
              "minItems": 2,
              "maxItems": 2
            },
            "tsType": "[begin: number, end: number][]"
          },
          "codec": {
            "enum": [
              "raw",
              "fp16",
              "uint8",
              "deflate",
              "fp16+deflate",
              "uint8+deflate",
              "png",
              "webp",
              "jpeg"
            ],
            "default": "raw",
            "description": "How its elements are written on the wire. raw, deflate, png and webp lose nothing. fp16 and uint8 are for float32, pictures for uint8 of 1 or 3 channels. A task's input that a dispatcher sends is deflated, or a picture, where all transfers into it say so."
          },
          "endpoint": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_.-]{1,64}$",
            "description": "Worker whose own broker carries it, at the address in that worker's status: the one device of the task it is for. Absent, and where that broker cannot be reached: the pipeline's."
          },
          "predictedMs": {
            "type": "number",
            "minimum": 0
          }
        }
      }
    },
    "models": {
      "type": "array",
      "description": "Sub-model files and the weight files they refer to.",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "digest",
          "bytes",
          "weights"
        ],
        "properties": {
          "digest": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256, lower-case hexadecimal."
          },
          "bytes": {
            "type": "integer",
            "minimum": 0
          },
          "weights": {
            "type": "array",
            "items": {
              "type": "object",
              "additionalProperties": false,
              "required": [
                "digest",
                "bytes"
              ],
              "properties": {
                "digest": {
                  "type": "string",
                  "pattern": "^[0-9a-f]{64}$",
                  "description": "SHA-256, lower-case hexadecimal."
                },
                "bytes": {
                  "type": "integer",
                  "minimum": 0
                }
              }
            }
          }
        }
      }
    },
    "replicas": {
      "type": "integer",
      "minimum": 1
    },
    "accuracy": {
      "enum": [
        "exact",
        "budgeted"
      ],
      "description": "exact (where it is absent): no transfer and no tensor has a codec that changes values."
    },
    "predicted": {
      "type": "object",
      "additionalProperties": false,
      "required": [],
      "properties": {
        "latencyMs": {
          "type": "number",
          "minimum": 0
        },
        "framesPerSecond": {
          "type": "number",
          "minimum": 0
        },
        "bytesPerFrame": {
          "type": "integer",
          "minimum": 0
        },
        "bottleneck": {
          "type": "string"
        }
      }
    }
  }
};
