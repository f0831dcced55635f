// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * The answer for one frame, or the error that ended it. Published on the result topic, one document per frame; readers should ignore keys they do not know.
 */
export interface Result {
  /**
   * Version of this document; it changes only when a reader of the old one would be misled.
   */
  format: 1;
  pipeline: string;
  /**
   * Frame id, unique in its pipeline; the same frame always has the same, so that readers can drop duplicates.
   */
  frame: string;
  /**
   * Camera or program the frame came from.
   */
  source?: string;
  /**
   * Running number of the frame at its splitter.
   */
  sequence?: number;
  /**
   * Digest of the plan the frame ran on.
   */
  plan?: string;
  /**
   * Which of classes, detections and tensors an answer has.
   */
  task: 'classify' | 'detect' | 'tensors';
  /**
   * Whether there is an answer; if not, error says why.
   */
  ok: boolean;
  error?: ResultError;
  image?: ImageSize;
  /**
   * classify: the best classes, the best first.
   */
  classes?: ClassScore[];
  /**
   * detect: what was found, the best first; empty where nothing was.
   */
  detections?: Detection[];
  /**
   * tensors: what the outputs are; their elements are on the tensors topic.
   */
  tensors?: TensorSummary[];
  timing?: Timing;
  bytes?: Bytes;
}
export interface ResultError {
  /**
   * Code of the table of errors: image-invalid, frame-deadline and so on.
   */
  code: string;
  /**
   * What went wrong, where, and what to do.
   */
  message: string;
}
/**
 * Size of the picture, in pixels, upright; of a raw tensor frame, the size of the tensor.
 */
export interface ImageSize {
  width: number;
  height: number;
}
export interface ClassScore {
  label: string;
  /**
   * Number of the class at the model's output.
   */
  index: number;
  score: number;
}
export interface Detection {
  label: string;
  /**
   * Number of the class at the model's output.
   */
  index: number;
  score: number;
  box: Box;
}
/**
 * In pixels of the picture, from its top left corner, clipped to it.
 */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
export interface TensorSummary {
  name: string;
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
   * Smallest finite element; absent where there is none.
   */
  min?: number;
  /**
   * Largest finite element; absent where there is none.
   */
  max?: number;
  /**
   * How many elements are NaN or infinite; absent where none is.
   */
  nonFinite?: number;
}
/**
 * In milliseconds.
 */
export interface Timing {
  /**
   * From the frame's start at the splitter to its result.
   */
  totalMs: number;
  /**
   * From the picture to the input tensor.
   */
  decodeMs?: number;
  /**
   * From the output tensors to this document.
   */
  answerMs?: number;
  blocks: BlockTiming[];
}
export interface BlockTiming {
  block: number;
  kind: 'tile' | 'whole' | 'shard' | 'partial';
  /**
   * From the first dispatch of one of its tasks to the last of their outputs.
   */
  ms: number;
  /**
   * Tasks the block ran as.
   */
  tiles: number;
  /**
   * Longest time a worker took for one of its tasks.
   */
  slowestTileMs?: number;
  /**
   * Id of that task in the plan.
   */
  slowestTask?: string;
  /**
   * Id of the worker that ran it.
   */
  slowestWorker?: string;
}
export interface Bytes {
  /**
   * Tensor bytes that travelled between services for this frame.
   */
  moved: number;
}

export const resultSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "result.schema.json",
  "title": "Result",
  "description": "The answer for one frame, or the error that ended it. Published on the result topic, one document per frame; readers should ignore keys they do not know.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "format",
    "pipeline",
    "frame",
    "task",
    "ok"
  ],
  "properties": {
    "format": {
      "const": 1,
      "description": "Version of this document; it changes only when a reader of the old one would be misled."
    },
    "pipeline": {
      "type": "string",
      "pattern": "^[A-Za-z0-9_.-]{1,64}$"
    },
    "frame": {
      "type": "string",
      "description": "Frame id, unique in its pipeline; the same frame always has the same, so that readers can drop duplicates."
    },
    "source": {
      "type": "string",
      "description": "Camera or program the frame came from."
    },
    "sequence": {
      "type": "integer",
      "minimum": 0,
      "description": "Running number of the frame at its splitter."
    },
    "plan": {
      "type": "string",
      "pattern": "^[0-9a-f]{64}$",
      "description": "Digest of the plan the frame ran on."
    },
    "task": {
      "enum": [
        "classify",
        "detect",
        "tensors"
      ],
      "description": "Which of classes, detections and tensors an answer has."
    },
    "ok": {
      "type": "boolean",
      "description": "Whether there is an answer; if not, error says why."
    },
    "error": {
      "title": "ResultError",
      "type": "object",
      "additionalProperties": false,
      "required": [
        "code",
        "message"
      ],
      "properties": {
        "code": {
          "type": "string",
          "description": "Code of the table of errors: image-invalid, frame-deadline and so on."
        },
        "message": {
          "type": "string",
          "description": "What went wrong, where, and what to do."
        }
      }
    },
    "image": {
      "title": "ImageSize",
      "description": "Size of the picture, in pixels, upright; of a raw tensor frame, the size of the tensor.",
      "type": "object",
      "additionalProperties": false,
      "required": [
        "width",
        "height"
      ],
      "properties": {
        "width": {
          "type": "integer",
          "minimum": 1
        },
        "height": {
          "type": "integer",
          "minimum": 1
        }
      }
    },
    "classes": {
      "description": "classify: the best classes, the best first.",
      "type": "array",
      "items": {
        "title": "ClassScore",
        "type": "object",
        "additionalProperties": false,
        "required": [
          "label",
          "index",
          "score"
        ],
        "properties": {
          "label": {
            "type": "string"
          },
          "index": {
            "type": "integer",
            "minimum": 0,
            "description": "Number of the class at the model's output."
          },
          "score": {
            "type": "number",
            "minimum": 0,
            "maximum": 1
          }
        }
      }
    },
    "detections": {
      "description": "detect: what was found, the best first; empty where nothing was.",
      "type": "array",
      "items": {
        "title": "Detection",
        "type": "object",
        "additionalProperties": false,
        "required": [
          "label",
          "index",
          "score",
          "box"
        ],
        "properties": {
          "label": {
            "type": "string"
          },
          "index": {
            "type": "integer",
            "minimum": 0,
            "description": "Number of the class at the model's output."
          },
          "score": {
            "type": "number",
            "minimum": 0,
            "maximum": 1
          },
          "box": {
            "title": "Box",
            "description": "In pixels of the picture, from its top left corner, clipped to it.",
            "type": "object",
            "additionalProperties": false,
            "required": [
              "x",
              "y",
              "width",
              "height"
            ],
            "properties": {
              "x": {
                "type": "number",
                "minimum": 0
              },
              "y": {
                "type": "number",
                "minimum": 0
              },
              "width": {
                "type": "number",
                "minimum": 0
              },
              "height": {
                "type": "number",
                "minimum": 0
              }
            }
          }
        }
      }
    },
    "tensors": {
      "description": "tensors: what the outputs are; their elements are on the tensors topic.",
      "type": "array",
      "items": {
        "title": "TensorSummary",
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
          "min": {
            "type": "number",
            "description": "Smallest finite element; absent where there is none."
          },
          "max": {
            "type": "number",
            "description": "Largest finite element; absent where there is none."
          },
          "nonFinite": {
            "type": "integer",
            "minimum": 1,
            "description": "How many elements are NaN or infinite; absent where none is."
          }
        }
      }
    },
    "timing": {
      "title": "Timing",
      "description": "In milliseconds.",
      "type": "object",
      "additionalProperties": false,
      "required": [
        "totalMs",
        "blocks"
      ],
      "properties": {
        "totalMs": {
          "type": "number",
          "minimum": 0,
          "description": "From the frame's start at the splitter to its result."
        },
        "decodeMs": {
          "type": "number",
          "minimum": 0,
          "description": "From the picture to the input tensor."
        },
        "answerMs": {
          "type": "number",
          "minimum": 0,
          "description": "From the output tensors to this document."
        },
        "blocks": {
          "type": "array",
          "items": {
            "title": "BlockTiming",
            "type": "object",
            "additionalProperties": false,
            "required": [
              "block",
              "kind",
              "ms",
              "tiles"
            ],
            "properties": {
              "block": {
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
              "ms": {
                "type": "number",
                "minimum": 0,
                "description": "From the first dispatch of one of its tasks to the last of their outputs."
              },
              "tiles": {
                "type": "integer",
                "minimum": 1,
                "description": "Tasks the block ran as."
              },
              "slowestTileMs": {
                "type": "number",
                "minimum": 0,
                "description": "Longest time a worker took for one of its tasks."
              },
              "slowestTask": {
                "type": "string",
                "description": "Id of that task in the plan."
              },
              "slowestWorker": {
                "type": "string",
                "description": "Id of the worker that ran it."
              }
            }
          }
        }
      }
    },
    "bytes": {
      "title": "Bytes",
      "type": "object",
      "additionalProperties": false,
      "required": [
        "moved"
      ],
      "properties": {
        "moved": {
          "type": "integer",
          "minimum": 0,
          "description": "Tensor bytes that travelled between services for this frame."
        }
      }
    }
  },
  "if": {
    "properties": {
      "ok": {
        "const": true
      }
    }
  },
  "then": {
    "properties": {
      "error": false,
      "image": true
    },
    "required": [
      "image"
    ]
  },
  "else": {
    "properties": {
      "error": true
    },
    "required": [
      "error"
    ]
  }
};
