// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * Id of a service; of a worker, who runs the task.
 *
 * This interface was referenced by `Telemetry`'s JSON-Schema
 * via the `definition` "service".
 */
export type ServiceId = string;
/**
 * SHA-256, lower-case hexadecimal.
 *
 * This interface was referenced by `Telemetry`'s JSON-Schema
 * via the `definition` "digest".
 */
export type PlanDigest = string;
/**
 * This interface was referenced by `Telemetry`'s JSON-Schema
 * via the `definition` "task".
 */
export type TaskId = string;

/**
 * What a dispatcher (splitter or merger) saw of its tasks in one window of about half a second, by worker and task. Not retained.
 */
export interface Telemetry {
  role: 'splitter' | 'merger';
  id: ServiceId;
  /**
   * Counts the documents of this service: a gap says that one was lost, a smaller one that it started anew.
   */
  number: number;
  /**
   * Milliseconds since the document before, or since the service started.
   */
  windowMs: number;
  /**
   * Answers that came in the window.
   *
   * @maxItems 1024
   */
  tasks: TaskTelemetry[];
  /**
   * Workers with tasks out, or with tasks that took too long.
   *
   * @maxItems 1024
   */
  workers: WorkerTelemetry[];
  /**
   * Tasks that are out and have taken clearly longer than they took last: a device that has become slow is seen before they end. Absent: none.
   *
   * @maxItems 1024
   */
  running?: RunningTask[];
  /**
   * Answers not told because there were too many sorts of them.
   */
  omitted: number;
}
export interface TaskTelemetry {
  worker: ServiceId;
  plan: PlanDigest;
  task: TaskId;
  /**
   * Answers.
   */
  count: number;
  /**
   * Milliseconds in the executor, median.
   */
  computeMs: number;
  /**
   * The same, all answers together.
   */
  computeSumMs: number;
  /**
   * Milliseconds between the arrival at the worker and the start, median.
   */
  queueMs: number;
  /**
   * The same, all answers together.
   */
  queueSumMs: number;
  /**
   * Milliseconds from sending to the answer, without what the worker did: the ways there and back, median. Absent where every answer came from a worker given up before.
   */
  restMs?: number;
  /**
   * Bytes of the messages to the worker, all of them together.
   */
  bytes: number;
}
export interface WorkerTelemetry {
  worker: ServiceId;
  /**
   * Tasks out now.
   */
  active: number;
  /**
   * Tasks that passed their deadline in the window.
   */
  timeouts: number;
}
export interface RunningTask {
  worker: ServiceId;
  plan: PlanDigest;
  task: TaskId;
  /**
   * Milliseconds since the worker can have been at it, less what its ways there and back and its waiting took last: it computes for so long already, unless its link has become slower.
   */
  computeMs: number;
  /**
   * Milliseconds in the executor, the least of the medians of its last three windows with answers.
   */
  usualMs: number;
}

export const telemetrySchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "telemetry.schema.json",
  "title": "Telemetry",
  "description": "What a dispatcher (splitter or merger) saw of its tasks in one window of about half a second, by worker and task. Not retained.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "role",
    "id",
    "number",
    "windowMs",
    "tasks",
    "workers",
    "omitted"
  ],
  "properties": {
    "role": {
      "enum": [
        "splitter",
        "merger"
      ]
    },
    "id": {
      "$ref": "#/definitions/service"
    },
    "number": {
      "type": "integer",
      "minimum": 0,
      "description": "Counts the documents of this service: a gap says that one was lost, a smaller one that it started anew."
    },
    "windowMs": {
      "type": "number",
      "minimum": 0,
      "description": "Milliseconds since the document before, or since the service started."
    },
    "tasks": {
      "type": "array",
      "maxItems": 1024,
      "description": "Answers that came in the window.",
      "items": {
        "title": "TaskTelemetry",
        "type": "object",
        "additionalProperties": false,
        "required": [
          "worker",
          "plan",
          "task",
          "count",
          "computeMs",
          "computeSumMs",
          "queueMs",
          "queueSumMs",
          "bytes"
        ],
        "properties": {
          "worker": {
            "$ref": "#/definitions/service"
          },
          "plan": {
            "$ref": "#/definitions/digest"
          },
          "task": {
            "$ref": "#/definitions/task"
          },
          "count": {
            "type": "integer",
            "minimum": 1,
            "description": "Answers."
          },
          "computeMs": {
            "type": "number",
            "minimum": 0,
            "description": "Milliseconds in the executor, median."
          },
          "computeSumMs": {
            "type": "number",
            "minimum": 0,
            "description": "The same, all answers together."
          },
          "queueMs": {
            "type": "number",
            "minimum": 0,
            "description": "Milliseconds between the arrival at the worker and the start, median."
          },
          "queueSumMs": {
            "type": "number",
            "minimum": 0,
            "description": "The same, all answers together."
          },
          "restMs": {
            "type": "number",
            "minimum": 0,
            "description": "Milliseconds from sending to the answer, without what the worker did: the ways there and back, median. Absent where every answer came from a worker given up before."
          },
          "bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "Bytes of the messages to the worker, all of them together."
          }
        }
      }
    },
    "workers": {
      "type": "array",
      "maxItems": 1024,
      "description": "Workers with tasks out, or with tasks that took too long.",
      "items": {
        "title": "WorkerTelemetry",
        "type": "object",
        "additionalProperties": false,
        "required": [
          "worker",
          "active",
          "timeouts"
        ],
        "properties": {
          "worker": {
            "$ref": "#/definitions/service"
          },
          "active": {
            "type": "integer",
            "minimum": 0,
            "description": "Tasks out now."
          },
          "timeouts": {
            "type": "integer",
            "minimum": 0,
            "description": "Tasks that passed their deadline in the window."
          }
        }
      }
    },
    "running": {
      "type": "array",
      "maxItems": 1024,
      "description": "Tasks that are out and have taken clearly longer than they took last: a device that has become slow is seen before they end. Absent: none.",
      "items": {
        "title": "RunningTask",
        "type": "object",
        "additionalProperties": false,
        "required": [
          "worker",
          "plan",
          "task",
          "computeMs",
          "usualMs"
        ],
        "properties": {
          "worker": {
            "$ref": "#/definitions/service"
          },
          "plan": {
            "$ref": "#/definitions/digest"
          },
          "task": {
            "$ref": "#/definitions/task"
          },
          "computeMs": {
            "type": "number",
            "minimum": 0,
            "description": "Milliseconds since the worker can have been at it, less what its ways there and back and its waiting took last: it computes for so long already, unless its link has become slower."
          },
          "usualMs": {
            "type": "number",
            "minimum": 0,
            "description": "Milliseconds in the executor, the least of the medians of its last three windows with answers."
          }
        }
      }
    },
    "omitted": {
      "type": "integer",
      "minimum": 0,
      "description": "Answers not told because there were too many sorts of them."
    }
  },
  "definitions": {
    "service": {
      "title": "ServiceId",
      "description": "Id of a service; of a worker, who runs the task.",
      "type": "string",
      "pattern": "^[A-Za-z0-9_.-]{1,64}$"
    },
    "digest": {
      "title": "PlanDigest",
      "description": "SHA-256, lower-case hexadecimal.",
      "type": "string",
      "pattern": "^[0-9a-f]{64}$"
    },
    "task": {
      "title": "TaskId",
      "type": "string",
      "pattern": "^[A-Za-z0-9_.-]{1,64}$"
    }
  }
};
