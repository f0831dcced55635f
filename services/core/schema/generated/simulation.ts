// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What `tilepipe simulate --json` prints: one frame alone and a stream of frames through the chosen plan, on devices that need not exist.
 */
export interface SimulationReport {
  /**
   * Name of the model.
   */
  model: string;
  /**
   * sha256 of the model file.
   */
  digest: string;
  /**
   * What the plan was made best for.
   */
  objective: 'latency' | 'throughput';
  devices: {
    /**
     * Devices of the file; the plan was made for them.
     */
    described: number;
    /**
     * Devices of the simulation: the described ones, repeated.
     */
    simulated: number;
  };
  plan: {
    /**
     * Idea of distribution.
     */
    strategy: 'one-device' | 'replicas' | 'pipeline' | 'parallel' | 'halo' | 'mixed';
    /**
     * In the order they run.
     */
    blocks: {
      /**
       * How it runs.
       */
      mode: 'whole' | 'tile' | 'shard' | 'partial';
      /**
       * Tasks it makes of a frame.
       */
      parts: number;
      /**
       * Devices that may run one of them.
       */
      devices: number;
    }[];
  };
  /**
   * One frame, nothing else under way.
   */
  alone: {
    /**
     * Milliseconds, simulated.
     */
    latencyMs: number;
    /**
     * Milliseconds the planner expects.
     */
    predictedMs: number;
  };
  stream: {
    /**
     * Frames.
     */
    offered: number;
    /**
     * Frames under way at once.
     */
    inFlight: number;
    /**
     * Frames per second that arrive; null: the next one is always waiting.
     */
    rate: number | null;
    /**
     * Frames that were finished.
     */
    finished: number;
    /**
     * Frames that made room for newer ones before they started.
     */
    dropped: number;
    /**
     * Simulated milliseconds from the first frame to the end of the last.
     */
    elapsedMs: number;
    /**
     * In the steady state.
     */
    framesPerSecond: number;
    /**
     * Milliseconds from a frame's arrival to its result, in the steady state.
     */
    latency: {
      median: number;
      p90: number;
      max: number;
    };
    /**
     * Share of the steady state a resource was busy: devices, `hub` (its processor), media (full-duplex ones by direction: in and out of the machine on them).
     */
    utilisation: {
      [k: string]: number;
    };
    /**
     * The busiest resource.
     */
    bottleneck: string;
    /**
     * Over links, to the devices and back.
     */
    bytesPerFrame: number;
  };
}

export const simulationSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "simulation.schema.json",
  "title": "SimulationReport",
  "description": "What `tilepipe simulate --json` prints: one frame alone and a stream of frames through the chosen plan, on devices that need not exist.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "model",
    "digest",
    "objective",
    "devices",
    "plan",
    "alone",
    "stream"
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
      "description": "What the plan was made best for."
    },
    "devices": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "described",
        "simulated"
      ],
      "properties": {
        "described": {
          "type": "integer",
          "minimum": 1,
          "description": "Devices of the file; the plan was made for them."
        },
        "simulated": {
          "type": "integer",
          "minimum": 1,
          "description": "Devices of the simulation: the described ones, repeated."
        }
      }
    },
    "plan": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "strategy",
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
        "blocks": {
          "type": "array",
          "items": {
            "type": "object",
            "additionalProperties": false,
            "required": [
              "mode",
              "parts",
              "devices"
            ],
            "properties": {
              "mode": {
                "type": "string",
                "enum": [
                  "whole",
                  "tile",
                  "shard",
                  "partial"
                ],
                "description": "How it runs."
              },
              "parts": {
                "type": "integer",
                "minimum": 1,
                "description": "Tasks it makes of a frame."
              },
              "devices": {
                "type": "integer",
                "minimum": 1,
                "description": "Devices that may run one of them."
              }
            }
          },
          "description": "In the order they run."
        }
      }
    },
    "alone": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "latencyMs",
        "predictedMs"
      ],
      "description": "One frame, nothing else under way.",
      "properties": {
        "latencyMs": {
          "type": "number",
          "minimum": 0,
          "description": "Milliseconds, simulated."
        },
        "predictedMs": {
          "type": "number",
          "minimum": 0,
          "description": "Milliseconds the planner expects."
        }
      }
    },
    "stream": {
      "type": "object",
      "additionalProperties": false,
      "required": [
        "offered",
        "inFlight",
        "rate",
        "finished",
        "dropped",
        "elapsedMs",
        "framesPerSecond",
        "latency",
        "utilisation",
        "bottleneck",
        "bytesPerFrame"
      ],
      "properties": {
        "offered": {
          "type": "integer",
          "minimum": 1,
          "description": "Frames."
        },
        "inFlight": {
          "type": "integer",
          "minimum": 1,
          "description": "Frames under way at once."
        },
        "rate": {
          "type": [
            "number",
            "null"
          ],
          "description": "Frames per second that arrive; null: the next one is always waiting."
        },
        "finished": {
          "type": "integer",
          "minimum": 0,
          "description": "Frames that were finished."
        },
        "dropped": {
          "type": "integer",
          "minimum": 0,
          "description": "Frames that made room for newer ones before they started."
        },
        "elapsedMs": {
          "type": "number",
          "minimum": 0,
          "description": "Simulated milliseconds from the first frame to the end of the last."
        },
        "framesPerSecond": {
          "type": "number",
          "minimum": 0,
          "description": "In the steady state."
        },
        "latency": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "median",
            "p90",
            "max"
          ],
          "description": "Milliseconds from a frame's arrival to its result, in the steady state.",
          "properties": {
            "median": {
              "type": "number",
              "minimum": 0
            },
            "p90": {
              "type": "number",
              "minimum": 0
            },
            "max": {
              "type": "number",
              "minimum": 0
            }
          }
        },
        "utilisation": {
          "type": "object",
          "additionalProperties": {
            "type": "number",
            "minimum": 0,
            "maximum": 1
          },
          "description": "Share of the steady state a resource was busy: devices, `hub` (its processor), media (full-duplex ones by direction: in and out of the machine on them)."
        },
        "bottleneck": {
          "type": "string",
          "description": "The busiest resource."
        },
        "bytesPerFrame": {
          "type": "number",
          "minimum": 0,
          "description": "Over links, to the devices and back."
        }
      }
    }
  }
};
