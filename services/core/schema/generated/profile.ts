// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What one device measured of itself: what its operators, its memory and its link cost. Times in milliseconds, sizes in bytes.
 */
export interface Profile {
  format: 1;
  /**
   * Its service id.
   */
  device: string;
  hardware: {
    /**
     * As the operating system names it.
     */
    processor: string;
    arch: string;
    /**
     * Threads of one run.
     */
    threads: number;
    /**
     * Processors the cgroup allows, 0.25 for 250 millicores; absent: no limit.
     */
    quota?: number;
  };
  executor: string;
  /**
   * Digest of the model whose layers were measured; 'general' for the fixed list.
   */
  measuredFor?: string;
  /**
   * Of a worker started with --lean, which takes less memory beside what it holds; absent: no.
   */
  lean?: boolean;
  /**
   * Whether the figures were not measured on this device.
   */
  estimated: boolean;
  /**
   * Bytes a worker may use in all; absent: no limit.
   */
  memoryBytes?: number;
  /**
   * Bytes of a worker that holds nothing.
   */
  idleBytes: number;
  /**
   * Milliseconds of a task beside its operators.
   */
  taskMs: number;
  /**
   * Milliseconds of its processor per byte received or sent.
   */
  byteMs: number;
  /**
   * By kind of operator: milliseconds = run x runs + mac x multiply-accumulates + byte x bytes of activations + weight x bytes of weights.
   */
  kinds: {
    [k: string]: {
      run: number;
      mac: number;
      byte: number;
      weight: number;
      /**
       * Median relative error over timed tasks left out of the fit.
       */
      error?: number;
      /**
       * Timed tasks made to measure this kind.
       */
      samples?: number;
    };
  };
  /**
   * Between the device and the broker, measured by this device alone.
   */
  link?: {
    /**
     * Of one way.
     */
    latencyMs: number;
    upBytesPerMs: number;
    downBytesPerMs: number;
    /**
     * The newest round in which several devices measured their links by turns and then all at once.
     */
    together?: {
      /**
       * Which round: figures of different ones say nothing of each other.
       */
      round: string;
      /**
       * How many took part.
       */
      devices: number;
      /**
       * When, ISO 8601 by the device's clock.
       */
      at: string;
      /**
       * In its own turn: sent while nothing came back.
       */
      aloneOutBytesPerMs: number;
      /**
       * In its own turn: of each direction, while it sent and received at once.
       */
      aloneBothBytesPerMs: number;
      /**
       * With all at once: sent while nothing came back.
       */
      outBytesPerMs: number;
      /**
       * With all at once: of each direction, while it sent and received at once.
       */
      bothBytesPerMs: number;
    };
  };
}

export const profileSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "profile.schema.json",
  "title": "Profile",
  "description": "What one device measured of itself: what its operators, its memory and its link cost. Times in milliseconds, sizes in bytes.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "format",
    "device",
    "hardware",
    "executor",
    "estimated",
    "idleBytes",
    "taskMs",
    "byteMs",
    "kinds"
  ],
  "properties": {
    "format": {
      "const": 1
    },
    "device": {
      "type": "string",
      "pattern": "^[A-Za-z0-9_.-]{1,64}$",
      "description": "Its service id."
    },
    "hardware": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "processor",
        "arch",
        "threads"
      ],
      "properties": {
        "processor": {
          "type": "string",
          "description": "As the operating system names it."
        },
        "arch": {
          "type": "string"
        },
        "threads": {
          "type": "integer",
          "minimum": 1,
          "description": "Threads of one run."
        },
        "quota": {
          "type": "number",
          "exclusiveMinimum": 0,
          "description": "Processors the cgroup allows, 0.25 for 250 millicores; absent: no limit."
        }
      }
    },
    "executor": {
      "type": "string"
    },
    "measuredFor": {
      "type": "string",
      "description": "Digest of the model whose layers were measured; 'general' for the fixed list."
    },
    "lean": {
      "type": "boolean",
      "description": "Of a worker started with --lean, which takes less memory beside what it holds; absent: no."
    },
    "estimated": {
      "type": "boolean",
      "description": "Whether the figures were not measured on this device."
    },
    "memoryBytes": {
      "type": "number",
      "exclusiveMinimum": 0,
      "description": "Bytes a worker may use in all; absent: no limit."
    },
    "idleBytes": {
      "type": "number",
      "minimum": 0,
      "description": "Bytes of a worker that holds nothing."
    },
    "taskMs": {
      "type": "number",
      "minimum": 0,
      "description": "Milliseconds of a task beside its operators."
    },
    "byteMs": {
      "type": "number",
      "minimum": 0,
      "description": "Milliseconds of its processor per byte received or sent."
    },
    "kinds": {
      "type": "object",
      "description": "By kind of operator: milliseconds = run x runs + mac x multiply-accumulates + byte x bytes of activations + weight x bytes of weights.",
      "additionalProperties": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "run",
          "mac",
          "byte",
          "weight"
        ],
        "properties": {
          "run": {
            "type": "number",
            "minimum": 0
          },
          "mac": {
            "type": "number",
            "minimum": 0
          },
          "byte": {
            "type": "number",
            "minimum": 0
          },
          "weight": {
            "type": "number",
            "minimum": 0
          },
          "error": {
            "type": "number",
            "minimum": 0,
            "description": "Median relative error over timed tasks left out of the fit."
          },
          "samples": {
            "type": "integer",
            "minimum": 0,
            "description": "Timed tasks made to measure this kind."
          }
        }
      }
    },
    "link": {
      "type": "object",
      "description": "Between the device and the broker, measured by this device alone.",
      "additionalProperties": false,
      "required": [
        "latencyMs",
        "upBytesPerMs",
        "downBytesPerMs"
      ],
      "properties": {
        "latencyMs": {
          "type": "number",
          "minimum": 0,
          "description": "Of one way."
        },
        "upBytesPerMs": {
          "type": "number",
          "exclusiveMinimum": 0
        },
        "downBytesPerMs": {
          "type": "number",
          "exclusiveMinimum": 0
        },
        "together": {
          "type": "object",
          "description": "The newest round in which several devices measured their links by turns and then all at once.",
          "additionalProperties": false,
          "required": [
            "round",
            "devices",
            "at",
            "aloneOutBytesPerMs",
            "aloneBothBytesPerMs",
            "outBytesPerMs",
            "bothBytesPerMs"
          ],
          "properties": {
            "round": {
              "type": "string",
              "pattern": "^[A-Za-z0-9_.-]{1,64}$",
              "description": "Which round: figures of different ones say nothing of each other."
            },
            "devices": {
              "type": "integer",
              "minimum": 2,
              "description": "How many took part."
            },
            "at": {
              "type": "string",
              "description": "When, ISO 8601 by the device's clock."
            },
            "aloneOutBytesPerMs": {
              "type": "number",
              "exclusiveMinimum": 0,
              "description": "In its own turn: sent while nothing came back."
            },
            "aloneBothBytesPerMs": {
              "type": "number",
              "exclusiveMinimum": 0,
              "description": "In its own turn: of each direction, while it sent and received at once."
            },
            "outBytesPerMs": {
              "type": "number",
              "exclusiveMinimum": 0,
              "description": "With all at once: sent while nothing came back."
            },
            "bothBytesPerMs": {
              "type": "number",
              "exclusiveMinimum": 0,
              "description": "With all at once: of each direction, while it sent and received at once."
            }
          }
        }
      }
    }
  }
};
