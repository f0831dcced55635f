// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * The machines a plan is made for: media, devices, and the hub with broker, splitter and merger.
 */
export interface Devices {
  /**
   * The machine with broker, splitter and merger.
   */
  hub?: {
    /**
     * How it reaches devices on other media; absent: no limit.
     */
    medium?: string;
    /**
     * Milliseconds of its processor per message, in or out; 0.25 by default.
     */
    messageMs?: number;
    /**
     * Milliseconds of its processor per byte, in or out; 0.000001 by default, a second per gigabyte.
     */
    byteMs?: number;
  };
  /**
   * What carries one transfer at a time: a cable, or the air of a whole Wi-Fi network.
   */
  media?: {
    name: string;
    /**
     * Megabits per second.
     */
    mbit: number;
    /**
     * full (default): a queue for each direction; half: one for both, as in the air.
     */
    duplex?: 'full' | 'half';
    /**
     * Per message; 0.5 by default.
     */
    latencyMs?: number;
    /**
     * Times a message takes the medium's time on its way to the hub: 2 through a repeater; 1 by default.
     */
    hops?: number;
  }[];
  /**
   * @minItems 1
   */
  devices: {
    /**
     * The worker's id.
     */
    name: string;
    /**
     * The device's profile, or the file it is in, relative to this one.
     */
    profile?: string | Profile;
    /**
     * Name of a device whose profile it shares; marks it estimated.
     */
    like?: string;
    /**
     * How many times as fast as the profile says; 1 by default.
     */
    speed?: number;
    /**
     * What its worker may use in all, '512MB'; absent: as the profile says.
     */
    memory?: string;
    /**
     * Between it and the hub; absent: it runs on the hub.
     */
    medium?: string;
    /**
     * A full-duplex cable of its own, in megabits per second, instead of a medium.
     */
    mbit?: number;
    /**
     * Its figures were not measured on it.
     */
    estimated?: boolean;
  }[];
}
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
   * Between the device and the broker, alone; `together` with all devices at once.
   */
  link?: {
    /**
     * Of one way.
     */
    latencyMs: number;
    upBytesPerMs: number;
    downBytesPerMs: number;
    together?: {
      /**
       * How many transferred at once.
       */
      devices: number;
      latencyMs: number;
      upBytesPerMs: number;
      downBytesPerMs: number;
    };
  };
}

export const devicesSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "devices.schema.json",
  "title": "Devices",
  "description": "The machines a plan is made for: media, devices, and the hub with broker, splitter and merger.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "devices"
  ],
  "properties": {
    "hub": {
      "type": "object",
      "description": "The machine with broker, splitter and merger.",
      "additionalProperties": false,
      "properties": {
        "medium": {
          "type": "string",
          "description": "How it reaches devices on other media; absent: no limit."
        },
        "messageMs": {
          "type": "number",
          "minimum": 0,
          "description": "Milliseconds of its processor per message, in or out; 0.25 by default."
        },
        "byteMs": {
          "type": "number",
          "minimum": 0,
          "description": "Milliseconds of its processor per byte, in or out; 0.000001 by default, a second per gigabyte."
        }
      }
    },
    "media": {
      "type": "array",
      "description": "What carries one transfer at a time: a cable, or the air of a whole Wi-Fi network.",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "name",
          "mbit"
        ],
        "properties": {
          "name": {
            "type": "string",
            "minLength": 1
          },
          "mbit": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "Megabits per second."
          },
          "duplex": {
            "enum": [
              "full",
              "half"
            ],
            "description": "full (default): a queue for each direction; half: one for both, as in the air."
          },
          "latencyMs": {
            "type": "number",
            "minimum": 0,
            "description": "Per message; 0.5 by default."
          },
          "hops": {
            "type": "integer",
            "minimum": 1,
            "description": "Times a message takes the medium's time on its way to the hub: 2 through a repeater; 1 by default."
          }
        }
      }
    },
    "devices": {
      "type": "array",
      "minItems": 1,
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "name"
        ],
        "properties": {
          "name": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_.-]{1,64}$",
            "description": "The worker's id."
          },
          "profile": {
            "description": "The device's profile, or the file it is in, relative to this one.",
            "anyOf": [
              {
                "type": "string",
                "minLength": 1
              },
              {
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
                    "description": "Between the device and the broker, alone; `together` with all devices at once.",
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
                        "additionalProperties": false,
                        "required": [
                          "devices",
                          "latencyMs",
                          "upBytesPerMs",
                          "downBytesPerMs"
                        ],
                        "properties": {
                          "devices": {
                            "type": "integer",
                            "minimum": 2,
                            "description": "How many transferred at once."
                          },
                          "latencyMs": {
                            "type": "number",
                            "minimum": 0
                          },
                          "upBytesPerMs": {
                            "type": "number",
                            "exclusiveMinimum": 0
                          },
                          "downBytesPerMs": {
                            "type": "number",
                            "exclusiveMinimum": 0
                          }
                        }
                      }
                    }
                  }
                }
              }
            ]
          },
          "like": {
            "type": "string",
            "description": "Name of a device whose profile it shares; marks it estimated."
          },
          "speed": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "How many times as fast as the profile says; 1 by default."
          },
          "memory": {
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]+)?\\s*(B|KB|MB|GB)$",
            "description": "What its worker may use in all, '512MB'; absent: as the profile says."
          },
          "medium": {
            "type": "string",
            "description": "Between it and the hub; absent: it runs on the hub."
          },
          "mbit": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "A full-duplex cable of its own, in megabits per second, instead of a medium."
          },
          "estimated": {
            "type": "boolean",
            "description": "Its figures were not measured on it."
          }
        }
      }
    }
  }
};
