// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * The file `tilepipe up` reads.
 */
export interface Config {
  /**
   * First level of every topic.
   */
  root?: string;
  /**
   * Where the broker is: an address, or an embedded one.
   */
  broker?: {
    /**
     * mqtt:// or mqtts:// address of a broker that is already there; absent: start the embedded one.
     */
    url?: string;
    /**
     * Embedded: address to listen on; anything but loopback is open to your network.
     */
    host?: string;
    /**
     * Embedded: port to listen on; 0: any free one.
     */
    port?: number;
    /**
     * Of broker.url; the embedded broker asks for none.
     */
    username?: string;
    /**
     * A secret is never written here: ${VARIABLE} or {file: path}.
     */
    password?:
      | string
      | {
          file: string;
        };
    /**
     * 4 is MQTT 3.1.1.
     */
    protocol?: 4 | 5;
    /**
     * Largest MQTT payload a service sends, in bytes: most brokers cut at 1 or 2 MB. The embedded broker also takes pictures as large as a pipeline's limits.maxImageBytes.
     */
    maxMessageBytes?: number;
  };
  store?: {
    /**
     * Address the model store listens on; 0.0.0.0 lets workers of other machines in.
     */
    host?: string;
    /**
     * 0: any free port.
     */
    port?: number;
    /**
     * Address the workers are told; absent: this machine as the broker's network sees it.
     */
    url?: string;
  };
  health?: {
    host?: string;
    /**
     * Absent: no health endpoint.
     */
    port?: number;
  };
  /**
   * Worker processes started here; those of other machines join by themselves.
   */
  workers?: {
    count?: number;
    threads?: number;
  };
  /**
   * Splitter, merger, controller and the embedded broker in one process; false: a process each.
   */
  combined?: boolean;
  /**
   * @minItems 1
   */
  pipelines: {
    name: string;
    /**
     * Path of the ONNX file, relative to this file.
     */
    model: string;
    /**
     * Input shapes where the model leaves them open.
     */
    shapes?: {
      [k: string]: number[];
    };
    /**
     * Rows x columns of tiles, for any worker; absent: planned for the devices that are there.
     */
    grid?: string;
    /**
     * How it is planned; not beside grid.
     */
    plan?: {
      /**
       * The time of one frame (default), or frames per second in a stream.
       */
      objective?: 'latency' | 'throughput';
      /**
       * Whether the plan follows its devices as they slow down, come and go; true by default.
       */
      replan?: boolean;
      /**
       * How readily it follows them: twice as much asks for half of the gain; 1 by default.
       */
      sensitivity?: number;
      /**
       * Path of a devices.yaml, relative to this file: its devices need not measure themselves.
       */
      devices?: string;
      /**
       * Workers of other machines to wait for, beside those started here and those in the devices file; 0 by default.
       */
      waitForWorkers?: number;
      /**
       * Longest wait for their profiles; then it is planned for those that are there. 120 by default.
       */
      waitSeconds?: number;
      /**
       * Tiles travel as bytes of pixels and workers normalise them; false by default.
       */
      pixels?: boolean;
      /**
       * exact (default): codecs lose nothing. With samples: tensors between devices may travel in fewer bits, as far as the answers on the sample frames bear it.
       */
      accuracy?: 'exact' | AccuracyBudget;
    };
    fillSeed?: number;
    /**
     * pipeline.schema.json, part preprocess; absent: recognised from the model.
     */
    preprocess?: {};
    /**
     * pipeline.schema.json, part answer; absent: recognised from the model.
     */
    answer?: {};
    /**
     * pipeline.schema.json, part limits.
     */
    limits?: {};
    /**
     * Frames under way at once; absent: 4, or as many as a plan for throughput needs.
     */
    maxInFlight?: number;
    /**
     * Frames kept waiting; beyond it the oldest is dropped, counted and answered with an error.
     */
    maxWaiting?: number;
    /**
     * Milliseconds from a frame's arrival to its result; then it is answered with an error.
     */
    deadlineMs?: number;
    /**
     * Times a frame is started, the first included, before it is answered with an error.
     */
    attempts?: number;
  }[];
}
export interface AccuracyBudget {
  /**
   * Folder of pictures like those the cameras will send, relative to this file; the first 32 by name are used.
   */
  samples: string;
  /**
   * Most root mean square error of any output, relative to its own root mean square; 0.02 by default.
   */
  relativeRms?: number;
  /**
   * Least share of the answers that agree: best classes, or detections with a partner of their class that overlaps by half; 1 by default.
   */
  labels?: number;
}

export const configSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "config.schema.json",
  "title": "Config",
  "description": "The file `tilepipe up` reads.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "pipelines"
  ],
  "properties": {
    "root": {
      "type": "string",
      "pattern": "^[A-Za-z0-9_.-]{1,64}$",
      "default": "tilepipe",
      "description": "First level of every topic."
    },
    "broker": {
      "description": "Where the broker is: an address, or an embedded one.",
      "default": {},
      "type": "object",
      "additionalProperties": false,
      "required": [],
      "properties": {
        "url": {
          "type": "string",
          "pattern": "^(mqtts?|wss?)://",
          "description": "mqtt:// or mqtts:// address of a broker that is already there; absent: start the embedded one."
        },
        "host": {
          "type": "string",
          "default": "127.0.0.1",
          "description": "Embedded: address to listen on; anything but loopback is open to your network."
        },
        "port": {
          "type": "integer",
          "minimum": 0,
          "maximum": 65535,
          "default": 1883,
          "description": "Embedded: port to listen on; 0: any free one."
        },
        "username": {
          "type": "string",
          "description": "Of broker.url; the embedded broker asks for none."
        },
        "password": {
          "description": "A secret is never written here: ${VARIABLE} or {file: path}.",
          "anyOf": [
            {
              "type": "string"
            },
            {
              "type": "object",
              "additionalProperties": false,
              "required": [
                "file"
              ],
              "properties": {
                "file": {
                  "type": "string"
                }
              }
            }
          ]
        },
        "protocol": {
          "enum": [
            4,
            5
          ],
          "default": 4,
          "description": "4 is MQTT 3.1.1."
        },
        "maxMessageBytes": {
          "type": "integer",
          "minimum": 16384,
          "default": 900000,
          "description": "Largest MQTT payload a service sends, in bytes: most brokers cut at 1 or 2 MB. The embedded broker also takes pictures as large as a pipeline's limits.maxImageBytes."
        }
      }
    },
    "store": {
      "default": {},
      "type": "object",
      "additionalProperties": false,
      "required": [],
      "properties": {
        "host": {
          "type": "string",
          "default": "127.0.0.1",
          "description": "Address the model store listens on; 0.0.0.0 lets workers of other machines in."
        },
        "port": {
          "type": "integer",
          "minimum": 0,
          "maximum": 65535,
          "default": 0,
          "description": "0: any free port."
        },
        "url": {
          "type": "string",
          "pattern": "^https?://[^/]",
          "description": "Address the workers are told; absent: this machine as the broker's network sees it."
        }
      }
    },
    "health": {
      "default": {},
      "type": "object",
      "additionalProperties": false,
      "required": [],
      "properties": {
        "host": {
          "type": "string",
          "default": "127.0.0.1"
        },
        "port": {
          "type": "integer",
          "minimum": 0,
          "maximum": 65535,
          "description": "Absent: no health endpoint."
        }
      }
    },
    "workers": {
      "default": {},
      "description": "Worker processes started here; those of other machines join by themselves.",
      "type": "object",
      "additionalProperties": false,
      "required": [],
      "properties": {
        "count": {
          "type": "integer",
          "minimum": 0,
          "maximum": 64,
          "default": 1
        },
        "threads": {
          "type": "integer",
          "minimum": 1,
          "maximum": 256,
          "default": 1
        }
      }
    },
    "combined": {
      "type": "boolean",
      "default": true,
      "description": "Splitter, merger, controller and the embedded broker in one process; false: a process each."
    },
    "pipelines": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "name",
          "model"
        ],
        "properties": {
          "name": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_.-]{1,64}$"
          },
          "model": {
            "type": "string",
            "description": "Path of the ONNX file, relative to this file."
          },
          "shapes": {
            "type": "object",
            "additionalProperties": {
              "type": "array",
              "items": {
                "type": "integer",
                "minimum": 1
              }
            },
            "description": "Input shapes where the model leaves them open."
          },
          "grid": {
            "type": "string",
            "pattern": "^\\d+x\\d+$",
            "description": "Rows x columns of tiles, for any worker; absent: planned for the devices that are there."
          },
          "plan": {
            "type": "object",
            "description": "How it is planned; not beside grid.",
            "additionalProperties": false,
            "properties": {
              "objective": {
                "enum": [
                  "latency",
                  "throughput"
                ],
                "description": "The time of one frame (default), or frames per second in a stream."
              },
              "replan": {
                "type": "boolean",
                "description": "Whether the plan follows its devices as they slow down, come and go; true by default."
              },
              "sensitivity": {
                "type": "number",
                "minimum": 0.1,
                "maximum": 10,
                "description": "How readily it follows them: twice as much asks for half of the gain; 1 by default."
              },
              "devices": {
                "type": "string",
                "minLength": 1,
                "description": "Path of a devices.yaml, relative to this file: its devices need not measure themselves."
              },
              "waitForWorkers": {
                "type": "integer",
                "minimum": 0,
                "maximum": 1000,
                "description": "Workers of other machines to wait for, beside those started here and those in the devices file; 0 by default."
              },
              "waitSeconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 86400,
                "description": "Longest wait for their profiles; then it is planned for those that are there. 120 by default."
              },
              "pixels": {
                "type": "boolean",
                "description": "Tiles travel as bytes of pixels and workers normalise them; false by default."
              },
              "accuracy": {
                "description": "exact (default): codecs lose nothing. With samples: tensors between devices may travel in fewer bits, as far as the answers on the sample frames bear it.",
                "anyOf": [
                  {
                    "const": "exact"
                  },
                  {
                    "title": "AccuracyBudget",
                    "type": "object",
                    "additionalProperties": false,
                    "required": [
                      "samples"
                    ],
                    "properties": {
                      "samples": {
                        "type": "string",
                        "minLength": 1,
                        "description": "Folder of pictures like those the cameras will send, relative to this file; the first 32 by name are used."
                      },
                      "relativeRms": {
                        "type": "number",
                        "minimum": 0,
                        "maximum": 1,
                        "description": "Most root mean square error of any output, relative to its own root mean square; 0.02 by default."
                      },
                      "labels": {
                        "type": "number",
                        "minimum": 0,
                        "maximum": 1,
                        "description": "Least share of the answers that agree: best classes, or detections with a partner of their class that overlaps by half; 1 by default."
                      }
                    }
                  }
                ]
              }
            }
          },
          "fillSeed": {
            "type": "integer",
            "minimum": 0
          },
          "preprocess": {
            "type": "object",
            "description": "pipeline.schema.json, part preprocess; absent: recognised from the model."
          },
          "answer": {
            "type": "object",
            "description": "pipeline.schema.json, part answer; absent: recognised from the model."
          },
          "limits": {
            "type": "object",
            "description": "pipeline.schema.json, part limits."
          },
          "maxInFlight": {
            "type": "integer",
            "minimum": 1,
            "description": "Frames under way at once; absent: 4, or as many as a plan for throughput needs."
          },
          "maxWaiting": {
            "type": "integer",
            "minimum": 1,
            "default": 16,
            "description": "Frames kept waiting; beyond it the oldest is dropped, counted and answered with an error."
          },
          "deadlineMs": {
            "type": "integer",
            "minimum": 100,
            "default": 30000,
            "description": "Milliseconds from a frame's arrival to its result; then it is answered with an error."
          },
          "attempts": {
            "type": "integer",
            "minimum": 1,
            "default": 3,
            "description": "Times a frame is started, the first included, before it is answered with an error."
          }
        }
      },
      "minItems": 1
    }
  }
};
