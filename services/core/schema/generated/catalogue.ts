// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What `tilepipe plan --catalogue DIR --deadline MS --json` prints: which models these devices answer in time, together and alone. All times are predictions.
 */
export interface Catalogue {
  /**
   * Milliseconds one frame may take.
   */
  deadlineMs: number;
  /**
   * Those answered in time first, the fastest first.
   */
  models: {
    /**
     * Name of the file.
     */
    file: string;
    /**
     * Name of the model.
     */
    model: string;
    /**
     * Multiply-accumulates of a frame.
     */
    macs: number;
    /**
     * one-device: one of them is fast enough; together: only several of them are; too-slow: not even together; too-large: no plan fits the memory.
     */
    answer: 'one-device' | 'together' | 'too-slow' | 'too-large';
    /**
     * The best plan of all; absent where none fits the memory.
     */
    together?: {
      /**
       * Milliseconds of one frame.
       */
      latencyMs: number;
      /**
       * Devices it uses.
       */
      devices: string[];
      inTime: boolean;
    };
    /**
     * The best plan on one device; absent where the model fits on none.
     */
    alone?: {
      /**
       * Milliseconds of one frame.
       */
      latencyMs: number;
      /**
       * Devices it uses.
       */
      devices: string[];
      inTime: boolean;
    };
  }[];
  skipped: {
    /**
     * Name of the file.
     */
    file: string;
    /**
     * Why it was not looked at.
     */
    reason: string;
  }[];
}

export const catalogueSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "catalogue.schema.json",
  "title": "Catalogue",
  "description": "What `tilepipe plan --catalogue DIR --deadline MS --json` prints: which models these devices answer in time, together and alone. All times are predictions.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "deadlineMs",
    "models",
    "skipped"
  ],
  "properties": {
    "deadlineMs": {
      "type": "number",
      "minimum": 0,
      "description": "Milliseconds one frame may take."
    },
    "models": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "file",
          "model",
          "macs",
          "answer"
        ],
        "properties": {
          "file": {
            "type": "string",
            "description": "Name of the file."
          },
          "model": {
            "type": "string",
            "description": "Name of the model."
          },
          "macs": {
            "type": "number",
            "minimum": 0,
            "description": "Multiply-accumulates of a frame."
          },
          "answer": {
            "type": "string",
            "enum": [
              "one-device",
              "together",
              "too-slow",
              "too-large"
            ],
            "description": "one-device: one of them is fast enough; together: only several of them are; too-slow: not even together; too-large: no plan fits the memory."
          },
          "together": {
            "type": "object",
            "additionalProperties": false,
            "required": [
              "latencyMs",
              "devices",
              "inTime"
            ],
            "properties": {
              "latencyMs": {
                "type": "number",
                "minimum": 0,
                "description": "Milliseconds of one frame."
              },
              "devices": {
                "type": "array",
                "items": {
                  "type": "string"
                },
                "description": "Devices it uses."
              },
              "inTime": {
                "type": "boolean"
              }
            },
            "description": "The best plan of all; absent where none fits the memory."
          },
          "alone": {
            "type": "object",
            "additionalProperties": false,
            "required": [
              "latencyMs",
              "devices",
              "inTime"
            ],
            "properties": {
              "latencyMs": {
                "type": "number",
                "minimum": 0,
                "description": "Milliseconds of one frame."
              },
              "devices": {
                "type": "array",
                "items": {
                  "type": "string"
                },
                "description": "Devices it uses."
              },
              "inTime": {
                "type": "boolean"
              }
            },
            "description": "The best plan on one device; absent where the model fits on none."
          }
        }
      },
      "description": "Those answered in time first, the fastest first."
    },
    "skipped": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "file",
          "reason"
        ],
        "properties": {
          "file": {
            "type": "string",
            "description": "Name of the file."
          },
          "reason": {
            "type": "string",
            "description": "Why it was not looked at."
          }
        }
      }
    }
  }
};
