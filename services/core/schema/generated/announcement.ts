// Generated from schemas/ by `npm run generate`. Do not edit.

import { type Plan, planSchema } from './plan.ts';

/**
 * What the controller publishes, retained, for a pipeline: its plan and where the files are.
 */
export interface Announcement {
  /**
   * SHA-256, lower-case hexadecimal.
   */
  digest: string;
  plan: Plan;
  fallback?: FallbackPlan;
  loss?: CodecLoss;
  /**
   * Base URL of the model store; the host "broker" stands for the host of the worker's own broker address.
   */
  store: string;
  controller: string;
  /**
   * How the splitter reads frames and the merger answers, complete (pipeline.schema.json with every default filled in).
   */
  settings: Record<string, unknown>;
  frames: FrameLimits;
}
/**
 * A second plan of the same model, loaded as well: frames whose attempt under the first fails go on with it, and new ones while the first cannot run.
 */
export interface FallbackPlan {
  /**
   * SHA-256, lower-case hexadecimal.
   */
  digest: string;
  plan: Plan;
}
/**
 * What a budgeted plan was seen to lose on sample frames, against the uncut model; absent where no codec changes a value, or nobody has looked.
 */
export interface CodecLoss {
  /**
   * Sample frames.
   */
  samples: number;
  /**
   * Relative error of the worst output; 0: no codec changes a value.
   */
  relativeRms: number;
  /**
   * Share of what the answers say that agrees; absent where answers are raw tensors, or say nothing.
   */
  labels?: number;
  /**
   * Samples whose answers name the same; absent where answers are raw tensors.
   */
  equalLabels?: number;
}
export interface FrameLimits {
  /**
   * Frames under way at once.
   */
  maxInFlight: number;
  /**
   * Frames kept waiting; beyond it the oldest is dropped and answered with an error.
   */
  maxWaiting: number;
  /**
   * Time a frame may take, all attempts together.
   */
  deadlineMs: number;
  /**
   * How often a frame is tried, the first included.
   */
  attempts: number;
  /**
   * Whether a task goes to the first of its devices that is free (late, also where absent), or always to the preferred one as long as that is there (static). Tasks without devices go to any worker either way.
   */
  binding?: 'late' | 'static';
}

const { $schema: _planSchema, $id: _planSchemaId, ...planSchemaPart } = planSchema;
export const announcementSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "announcement.schema.json",
  "title": "Announcement",
  "description": "What the controller publishes, retained, for a pipeline: its plan and where the files are.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "digest",
    "plan",
    "store",
    "controller",
    "settings",
    "frames"
  ],
  "properties": {
    "digest": {
      "type": "string",
      "pattern": "^[0-9a-f]{64}$",
      "description": "SHA-256, lower-case hexadecimal."
    },
    "plan": planSchemaPart,
    "fallback": {
      "title": "FallbackPlan",
      "type": "object",
      "additionalProperties": false,
      "description": "A second plan of the same model, loaded as well: frames whose attempt under the first fails go on with it, and new ones while the first cannot run.",
      "required": [
        "digest",
        "plan"
      ],
      "properties": {
        "digest": {
          "type": "string",
          "pattern": "^[0-9a-f]{64}$",
          "description": "SHA-256, lower-case hexadecimal."
        },
        "plan": planSchemaPart
      }
    },
    "loss": {
      "title": "CodecLoss",
      "type": "object",
      "additionalProperties": false,
      "description": "What a budgeted plan was seen to lose on sample frames, against the uncut model; absent where no codec changes a value, or nobody has looked.",
      "required": [
        "samples",
        "relativeRms"
      ],
      "properties": {
        "samples": {
          "type": "integer",
          "minimum": 0,
          "description": "Sample frames."
        },
        "relativeRms": {
          "type": "number",
          "minimum": 0,
          "description": "Relative error of the worst output; 0: no codec changes a value."
        },
        "labels": {
          "type": "number",
          "minimum": 0,
          "maximum": 1,
          "description": "Share of what the answers say that agrees; absent where answers are raw tensors, or say nothing."
        },
        "equalLabels": {
          "type": "integer",
          "minimum": 0,
          "description": "Samples whose answers name the same; absent where answers are raw tensors."
        }
      }
    },
    "store": {
      "type": "string",
      "description": "Base URL of the model store; the host \"broker\" stands for the host of the worker's own broker address."
    },
    "controller": {
      "type": "string",
      "pattern": "^[A-Za-z0-9_.-]{1,64}$"
    },
    "settings": {
      "type": "object",
      "description": "How the splitter reads frames and the merger answers, complete (pipeline.schema.json with every default filled in).",
      "additionalProperties": true,
      "tsType": "Record<string, unknown>"
    },
    "frames": {
      "title": "FrameLimits",
      "type": "object",
      "additionalProperties": false,
      "required": [
        "maxInFlight",
        "maxWaiting",
        "deadlineMs",
        "attempts"
      ],
      "properties": {
        "maxInFlight": {
          "type": "integer",
          "minimum": 1,
          "description": "Frames under way at once."
        },
        "maxWaiting": {
          "type": "integer",
          "minimum": 1,
          "description": "Frames kept waiting; beyond it the oldest is dropped and answered with an error."
        },
        "deadlineMs": {
          "type": "integer",
          "minimum": 100,
          "description": "Time a frame may take, all attempts together."
        },
        "attempts": {
          "type": "integer",
          "minimum": 1,
          "description": "How often a frame is tried, the first included."
        },
        "binding": {
          "enum": [
            "late",
            "static"
          ],
          "description": "Whether a task goes to the first of its devices that is free (late, also where absent), or always to the preferred one as long as that is there (static). Tasks without devices go to any worker either way."
        }
      }
    }
  }
};
