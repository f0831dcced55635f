// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What `tilepipe plan --json` prints: the chosen plan, what it was held against, and what would change it. All times and rates are predictions.
 */
export interface Advice {
  /**
   * Name of the model.
   */
  model: string;
  /**
   * sha256 of the model file.
   */
  digest: string;
  /**
   * What was made best.
   */
  objective: 'latency' | 'throughput';
  accuracy: {
    /**
     * exact: no codec changes a value; budgeted: as far as sample frames show little loss.
     */
    class: 'exact' | 'budgeted';
    /**
     * Sample frames on which codecs were measured; absent: none.
     */
    samples?: number;
    /**
     * Relative error of the worst output on them, as the plan stands; 0: no codec changes a value.
     */
    relativeRms?: number;
    /**
     * Share of the answers on them that agree with the uncut model's; absent where answers are raw tensors.
     */
    labels?: number;
    /**
     * Sample frames whose answers name the same classes as the uncut model's; absent likewise.
     */
    equalLabels?: number;
    /**
     * Codecs that lost more than the budget allows, and how much.
     */
    refused?: string[];
  };
  verdict: {
    /**
     * The advice in one sentence.
     */
    text: string;
    /**
     * False: stay on one device.
     */
    spread: boolean;
    /**
     * Devices the chosen plan uses.
     */
    devices: string[];
    /**
     * How many times faster, or how many times the frames, against the best single device; null where the model fits on none.
     */
    gain: number | null;
  };
  devices: {
    /**
     * Name.
     */
    id: string;
    /**
     * Medium between it and the hub; null: it runs on the hub.
     */
    medium: string | null;
    /**
     * Bytes a worker may use in all; null: no limit.
     */
    memoryBytes: number | null;
    /**
     * Its figures were not measured on it.
     */
    estimated: boolean;
  }[];
  media: {
    /**
     * Name.
     */
    name: string;
    /**
     * Megabits per second.
     */
    mbitPerSecond: number;
    /**
     * Whether both directions share it.
     */
    duplex: 'half' | 'full';
    /**
     * Milliseconds of a message beside its bytes.
     */
    latencyMs: number;
  }[];
  plan: {
    /**
     * Idea of distribution.
     */
    strategy: 'one-device' | 'replicas' | 'pipeline' | 'parallel' | 'halo' | 'mixed';
    /**
     * Frames under way at once that it is meant for.
     */
    inFlight: number;
    /**
     * What a frame travels as: what the network takes, or pixels that workers normalise.
     */
    input: 'tensor' | 'pixels';
    /**
     * What the choice between them rests on; absent where there was none.
     */
    pixels?: string;
    /**
     * Tensors that travel from one block to later ones.
     */
    cuts: {
      /**
       * Name in the model.
       */
      tensor: string;
      /**
       * Block that makes it; -1: the frame has it.
       */
      block: number;
      /**
       * How its elements travel.
       */
      codec: 'raw' | 'fp16' | 'uint8' | 'png' | 'webp' | 'jpeg';
      /**
       * Whether it is deflated on top, where that makes it smaller.
       */
      deflated: boolean;
    }[];
    /**
     * One frame alone, in milliseconds.
     */
    latencyMs: number;
    /**
     * In a steady stream.
     */
    framesPerSecond: number;
    /**
     * Bytes through the hub.
     */
    bytesPerFrame: number;
    /**
     * Peak bytes by device, the worker itself included.
     */
    memoryBytes: {
      [k: string]: number;
    };
    /**
     * In the order they run.
     */
    blocks: {
      /**
       * Number of the block.
       */
      id: number;
      /**
       * Operators.
       */
      nodes: number;
      /**
       * Name of its first operator.
       */
      first: string;
      /**
       * Name of its last operator.
       */
      last: string;
      /**
       * In one piece, by tiles, by output channels, or by parts of its input whose results are added up.
       */
      mode: 'whole' | 'tile' | 'shard' | 'partial';
      /**
       * Whether its tiles take strips from their neighbours instead of computing them again.
       */
      reuse: boolean;
      /**
       * Whether its parts keep what their device made before and take what they lack from those who made it.
       */
      kept: boolean;
      /**
       * Tasks it runs as.
       */
      parts: number;
      /**
       * Devices that run them.
       */
      devices: string[];
      /**
       * Share of the plan's multiply-accumulates, halo included.
       */
      macsShare: number;
      /**
       * Bytes of one frame from the hub to the devices.
       */
      bytesIn: number;
      /**
       * Bytes of one frame from the devices to the hub.
       */
      bytesOut: number;
      /**
       * Bytes of one frame that come to it from device to device.
       */
      stripBytes: number;
      /**
       * Milliseconds until the slowest of its devices has computed its parts.
       */
      computeMs: number;
      /**
       * Why it runs in one piece, where something else was to be expected.
       */
      reason?: string;
    }[];
  };
  /**
   * The best plan of each strategy, the chosen one first.
   */
  alternatives: {
    /**
     * Idea of distribution; equal-tiles is parallel by somebody who takes the devices for equal.
     */
    name: 'one-device' | 'replicas' | 'pipeline' | 'parallel' | 'halo' | 'mixed' | 'equal-tiles';
    /**
     * Whether every device has the memory for it.
     */
    fits: boolean;
    chosen: boolean;
    /**
     * One frame alone, in milliseconds.
     */
    latencyMs: number;
    /**
     * In a steady stream.
     */
    framesPerSecond: number;
    /**
     * Bytes through the hub.
     */
    bytesPerFrame: number;
    /**
     * Peak bytes by device, the worker itself included.
     */
    memoryBytes: {
      [k: string]: number;
    };
    /**
     * How it compares with the chosen plan.
     */
    note: string;
  }[];
  bottleneck: {
    /**
     * A device, a medium with its direction, or hub.
     */
    resource: string;
    /**
     * Share of the time it is busy in a steady stream.
     */
    busy: number;
    /**
     * The same in words.
     */
    text: string;
    latency: {
      /**
       * Of one frame alone: milliseconds in which some device computes.
       */
      computeMs: number;
      /**
       * Milliseconds in which something travels and nothing is computed.
       */
      transferMs: number;
      /**
       * Milliseconds in which the hub alone is busy.
       */
      hubMs: number;
    };
  };
  breakEven: {
    /**
     * link: there is one; between: the answer changes more than once, or for the worse as links get faster; never: one device is best at any link speed; always: several are; no-link: all devices are on the hub.
     */
    kind: 'link' | 'between' | 'never' | 'always' | 'no-link';
    /**
     * Speed of the slowest medium, the others in proportion, below which one device is best.
     */
    mbitPerSecond?: number;
    /**
     * between: whether several devices are best from fromMbitPerSecond to toMbitPerSecond, where the present speed is; beyond, the other is.
     */
    several?: boolean;
    /**
     * Absent: down to the slowest link that was looked at, 10 kbit/s.
     */
    fromMbitPerSecond?: number;
    /**
     * Absent: up to the fastest link that was looked at, 100 Gbit/s.
     */
    toMbitPerSecond?: number;
    /**
     * The same in words.
     */
    text: string;
  };
  whatIfs: {
    /**
     * As it was asked.
     */
    question: string;
    /**
     * The advice for that fleet in one sentence.
     */
    verdict: string;
    /**
     * Of the best plan then; absent where nothing fits the memory.
     */
    strategy?: 'one-device' | 'replicas' | 'pipeline' | 'parallel' | 'halo' | 'mixed';
    /**
     * Devices it uses.
     */
    devices?: number;
    /**
     * One frame alone, in milliseconds.
     */
    latencyMs?: number;
    /**
     * In a steady stream.
     */
    framesPerSecond?: number;
    /**
     * Bytes through the hub.
     */
    bytesPerFrame?: number;
  }[];
}

export const adviceSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "advice.schema.json",
  "title": "Advice",
  "description": "What `tilepipe plan --json` prints: the chosen plan, what it was held against, and what would change it. All times and rates are predictions.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "model",
    "digest",
    "objective",
    "accuracy",
    "verdict",
    "devices",
    "media",
    "plan",
    "alternatives",
    "bottleneck",
    "breakEven",
    "whatIfs"
  ],
  "properties": {
    "model": {
      "type": "string",
      "description": "Name of the model."
    },
    "digest": {
      "type": "string",
      "description": "sha256 of the model file."
    },
    "objective": {
      "type": "string",
      "enum": [
        "latency",
        "throughput"
      ],
      "description": "What was made best."
    },
    "accuracy": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "class"
      ],
      "properties": {
        "class": {
          "type": "string",
          "enum": [
            "exact",
            "budgeted"
          ],
          "description": "exact: no codec changes a value; budgeted: as far as sample frames show little loss."
        },
        "samples": {
          "type": "integer",
          "minimum": 0,
          "description": "Sample frames on which codecs were measured; absent: none."
        },
        "relativeRms": {
          "type": "number",
          "minimum": 0,
          "description": "Relative error of the worst output on them, as the plan stands; 0: no codec changes a value."
        },
        "labels": {
          "type": "number",
          "minimum": 0,
          "maximum": 1,
          "description": "Share of the answers on them that agree with the uncut model's; absent where answers are raw tensors."
        },
        "equalLabels": {
          "type": "integer",
          "minimum": 0,
          "description": "Sample frames whose answers name the same classes as the uncut model's; absent likewise."
        },
        "refused": {
          "type": "array",
          "items": {
            "type": "string"
          },
          "description": "Codecs that lost more than the budget allows, and how much."
        }
      }
    },
    "verdict": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "text",
        "spread",
        "devices",
        "gain"
      ],
      "properties": {
        "text": {
          "type": "string",
          "description": "The advice in one sentence."
        },
        "spread": {
          "type": "boolean",
          "description": "False: stay on one device."
        },
        "devices": {
          "type": "array",
          "items": {
            "type": "string"
          },
          "description": "Devices the chosen plan uses."
        },
        "gain": {
          "type": [
            "number",
            "null"
          ],
          "description": "How many times faster, or how many times the frames, against the best single device; null where the model fits on none."
        }
      }
    },
    "devices": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "id",
          "medium",
          "memoryBytes",
          "estimated"
        ],
        "properties": {
          "id": {
            "type": "string",
            "description": "Name."
          },
          "medium": {
            "type": [
              "string",
              "null"
            ],
            "description": "Medium between it and the hub; null: it runs on the hub."
          },
          "memoryBytes": {
            "type": [
              "number",
              "null"
            ],
            "description": "Bytes a worker may use in all; null: no limit."
          },
          "estimated": {
            "type": "boolean",
            "description": "Its figures were not measured on it."
          }
        }
      }
    },
    "media": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "name",
          "mbitPerSecond",
          "duplex",
          "latencyMs"
        ],
        "properties": {
          "name": {
            "type": "string",
            "description": "Name."
          },
          "mbitPerSecond": {
            "type": "number",
            "minimum": 0,
            "description": "Megabits per second."
          },
          "duplex": {
            "type": "string",
            "enum": [
              "half",
              "full"
            ],
            "description": "Whether both directions share it."
          },
          "latencyMs": {
            "type": "number",
            "minimum": 0,
            "description": "Milliseconds of a message beside its bytes."
          }
        }
      }
    },
    "plan": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "strategy",
        "inFlight",
        "input",
        "cuts",
        "latencyMs",
        "framesPerSecond",
        "bytesPerFrame",
        "memoryBytes",
        "blocks"
      ],
      "properties": {
        "strategy": {
          "type": "string",
          "enum": [
            "one-device",
            "replicas",
            "pipeline",
            "parallel",
            "halo",
            "mixed"
          ],
          "description": "Idea of distribution."
        },
        "inFlight": {
          "type": "integer",
          "minimum": 1,
          "description": "Frames under way at once that it is meant for."
        },
        "input": {
          "type": "string",
          "enum": [
            "tensor",
            "pixels"
          ],
          "description": "What a frame travels as: what the network takes, or pixels that workers normalise."
        },
        "pixels": {
          "type": "string",
          "description": "What the choice between them rests on; absent where there was none."
        },
        "cuts": {
          "type": "array",
          "items": {
            "type": "object",
            "additionalProperties": false,
            "required": [
              "tensor",
              "block",
              "codec",
              "deflated"
            ],
            "properties": {
              "tensor": {
                "type": "string",
                "description": "Name in the model."
              },
              "block": {
                "type": "integer",
                "minimum": -1,
                "description": "Block that makes it; -1: the frame has it."
              },
              "codec": {
                "type": "string",
                "enum": [
                  "raw",
                  "fp16",
                  "uint8",
                  "png",
                  "webp",
                  "jpeg"
                ],
                "description": "How its elements travel."
              },
              "deflated": {
                "type": "boolean",
                "description": "Whether it is deflated on top, where that makes it smaller."
              }
            }
          },
          "description": "Tensors that travel from one block to later ones."
        },
        "latencyMs": {
          "type": "number",
          "minimum": 0,
          "description": "One frame alone, in milliseconds."
        },
        "framesPerSecond": {
          "type": "number",
          "minimum": 0,
          "description": "In a steady stream."
        },
        "bytesPerFrame": {
          "type": "number",
          "minimum": 0,
          "description": "Bytes through the hub."
        },
        "memoryBytes": {
          "type": "object",
          "additionalProperties": {
            "type": "number",
            "minimum": 0
          },
          "description": "Peak bytes by device, the worker itself included."
        },
        "blocks": {
          "type": "array",
          "items": {
            "type": "object",
            "additionalProperties": false,
            "required": [
              "id",
              "nodes",
              "first",
              "last",
              "mode",
              "reuse",
              "kept",
              "parts",
              "devices",
              "macsShare",
              "bytesIn",
              "bytesOut",
              "stripBytes",
              "computeMs"
            ],
            "properties": {
              "id": {
                "type": "integer",
                "minimum": 0,
                "description": "Number of the block."
              },
              "nodes": {
                "type": "integer",
                "minimum": 0,
                "description": "Operators."
              },
              "first": {
                "type": "string",
                "description": "Name of its first operator."
              },
              "last": {
                "type": "string",
                "description": "Name of its last operator."
              },
              "mode": {
                "type": "string",
                "enum": [
                  "whole",
                  "tile",
                  "shard",
                  "partial"
                ],
                "description": "In one piece, by tiles, by output channels, or by parts of its input whose results are added up."
              },
              "reuse": {
                "type": "boolean",
                "description": "Whether its tiles take strips from their neighbours instead of computing them again."
              },
              "kept": {
                "type": "boolean",
                "description": "Whether its parts keep what their device made before and take what they lack from those who made it."
              },
              "parts": {
                "type": "integer",
                "minimum": 0,
                "description": "Tasks it runs as."
              },
              "devices": {
                "type": "array",
                "items": {
                  "type": "string"
                },
                "description": "Devices that run them."
              },
              "macsShare": {
                "type": "number",
                "minimum": 0,
                "description": "Share of the plan's multiply-accumulates, halo included.",
                "maximum": 1
              },
              "bytesIn": {
                "type": "number",
                "minimum": 0,
                "description": "Bytes of one frame from the hub to the devices."
              },
              "bytesOut": {
                "type": "number",
                "minimum": 0,
                "description": "Bytes of one frame from the devices to the hub."
              },
              "stripBytes": {
                "type": "number",
                "minimum": 0,
                "description": "Bytes of one frame that come to it from device to device."
              },
              "computeMs": {
                "type": "number",
                "minimum": 0,
                "description": "Milliseconds until the slowest of its devices has computed its parts."
              },
              "reason": {
                "type": "string",
                "description": "Why it runs in one piece, where something else was to be expected."
              }
            }
          },
          "description": "In the order they run."
        }
      }
    },
    "alternatives": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "name",
          "fits",
          "chosen",
          "latencyMs",
          "framesPerSecond",
          "bytesPerFrame",
          "memoryBytes",
          "note"
        ],
        "properties": {
          "name": {
            "type": "string",
            "enum": [
              "one-device",
              "replicas",
              "pipeline",
              "parallel",
              "halo",
              "mixed",
              "equal-tiles"
            ],
            "description": "Idea of distribution; equal-tiles is parallel by somebody who takes the devices for equal."
          },
          "fits": {
            "type": "boolean",
            "description": "Whether every device has the memory for it."
          },
          "chosen": {
            "type": "boolean"
          },
          "latencyMs": {
            "type": "number",
            "minimum": 0,
            "description": "One frame alone, in milliseconds."
          },
          "framesPerSecond": {
            "type": "number",
            "minimum": 0,
            "description": "In a steady stream."
          },
          "bytesPerFrame": {
            "type": "number",
            "minimum": 0,
            "description": "Bytes through the hub."
          },
          "memoryBytes": {
            "type": "object",
            "additionalProperties": {
              "type": "number",
              "minimum": 0
            },
            "description": "Peak bytes by device, the worker itself included."
          },
          "note": {
            "type": "string",
            "description": "How it compares with the chosen plan."
          }
        }
      },
      "description": "The best plan of each strategy, the chosen one first."
    },
    "bottleneck": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "resource",
        "busy",
        "text",
        "latency"
      ],
      "properties": {
        "resource": {
          "type": "string",
          "description": "A device, a medium with its direction, or hub."
        },
        "busy": {
          "type": "number",
          "minimum": 0,
          "description": "Share of the time it is busy in a steady stream.",
          "maximum": 1
        },
        "text": {
          "type": "string",
          "description": "The same in words."
        },
        "latency": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "computeMs",
            "transferMs",
            "hubMs"
          ],
          "properties": {
            "computeMs": {
              "type": "number",
              "minimum": 0,
              "description": "Of one frame alone: milliseconds in which some device computes."
            },
            "transferMs": {
              "type": "number",
              "minimum": 0,
              "description": "Milliseconds in which something travels and nothing is computed."
            },
            "hubMs": {
              "type": "number",
              "minimum": 0,
              "description": "Milliseconds in which the hub alone is busy."
            }
          }
        }
      }
    },
    "breakEven": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "kind",
        "text"
      ],
      "properties": {
        "kind": {
          "type": "string",
          "enum": [
            "link",
            "between",
            "never",
            "always",
            "no-link"
          ],
          "description": "link: there is one; between: the answer changes more than once, or for the worse as links get faster; never: one device is best at any link speed; always: several are; no-link: all devices are on the hub."
        },
        "mbitPerSecond": {
          "type": "number",
          "minimum": 0,
          "description": "Speed of the slowest medium, the others in proportion, below which one device is best."
        },
        "several": {
          "type": "boolean",
          "description": "between: whether several devices are best from fromMbitPerSecond to toMbitPerSecond, where the present speed is; beyond, the other is."
        },
        "fromMbitPerSecond": {
          "type": "number",
          "minimum": 0,
          "description": "Absent: down to the slowest link that was looked at, 10 kbit/s."
        },
        "toMbitPerSecond": {
          "type": "number",
          "minimum": 0,
          "description": "Absent: up to the fastest link that was looked at, 100 Gbit/s."
        },
        "text": {
          "type": "string",
          "description": "The same in words."
        }
      }
    },
    "whatIfs": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "question",
          "verdict"
        ],
        "properties": {
          "question": {
            "type": "string",
            "description": "As it was asked."
          },
          "verdict": {
            "type": "string",
            "description": "The advice for that fleet in one sentence."
          },
          "strategy": {
            "type": "string",
            "enum": [
              "one-device",
              "replicas",
              "pipeline",
              "parallel",
              "halo",
              "mixed"
            ],
            "description": "Of the best plan then; absent where nothing fits the memory."
          },
          "devices": {
            "type": "integer",
            "minimum": 0,
            "description": "Devices it uses."
          },
          "latencyMs": {
            "type": "number",
            "minimum": 0,
            "description": "One frame alone, in milliseconds."
          },
          "framesPerSecond": {
            "type": "number",
            "minimum": 0,
            "description": "In a steady stream."
          },
          "bytesPerFrame": {
            "type": "number",
            "minimum": 0,
            "description": "Bytes through the hub."
          }
        }
      }
    }
  }
};
