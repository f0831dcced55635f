// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What a service says of itself, retained. The Last Will is the same document with state offline.
 */
export interface Status {
  role: 'broker' | 'splitter' | 'worker' | 'merger' | 'controller';
  id: string;
  state: 'starting' | 'online' | 'draining' | 'offline';
  /**
   * Wire versions it speaks.
   *
   * @minItems 1
   */
  wire: number[];
  version: string;
  reason?: string;
  /**
   * Topic of its inbox.
   */
  inbox?: string;
  /**
   * Worker: the broker of its own, where its inbox is as well.
   */
  endpoint?: {
    /**
     * The host "broker" is the one of the pipeline's broker, by the name the reader has for it.
     */
    url: string;
    /**
     * Password of those who send there, any user name; made anew at every start.
     */
    key: string;
  };
  /**
   * Worker: codecs of the wire it takes and makes; absent: raw alone.
   *
   * @maxItems 64
   */
  codecs?: string[];
  /**
   * Worker: what it sent to other workers lately it sends again to one that wants it.
   */
  keepsStrips?: boolean;
  /**
   * Worker: tasks it takes at once from each dispatcher.
   */
  slots?: number;
  /**
   * Worker: the only blocks (and tiles) it runs; absent: any.
   */
  pins?: {
    block: number;
    tile?: number;
  }[];
  /**
   * Plans it knows, by digest; of a worker, with what it has loaded.
   */
  plans?: {
    [k: string]: {
      state: 'loading' | 'ready' | 'failed';
      models?: string[];
      error?: string;
      code?: string;
    };
  };
  executor?: string;
  platform?: string;
  rssBytes?: number;
  uptimeSeconds?: number;
  counters?: {
    [k: string]: number;
  };
}

export const statusSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "status.schema.json",
  "title": "Status",
  "description": "What a service says of itself, retained. The Last Will is the same document with state offline.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "role",
    "id",
    "state",
    "wire",
    "version"
  ],
  "properties": {
    "role": {
      "enum": [
        "broker",
        "splitter",
        "worker",
        "merger",
        "controller"
      ]
    },
    "id": {
      "type": "string",
      "pattern": "^[A-Za-z0-9_.-]{1,64}$"
    },
    "state": {
      "enum": [
        "starting",
        "online",
        "draining",
        "offline"
      ]
    },
    "wire": {
      "type": "array",
      "items": {
        "type": "integer",
        "minimum": 0
      },
      "minItems": 1,
      "description": "Wire versions it speaks."
    },
    "version": {
      "type": "string"
    },
    "reason": {
      "type": "string"
    },
    "inbox": {
      "type": "string",
      "description": "Topic of its inbox."
    },
    "endpoint": {
      "type": "object",
      "description": "Worker: the broker of its own, where its inbox is as well.",
      "additionalProperties": false,
      "required": [
        "url",
        "key"
      ],
      "properties": {
        "url": {
          "type": "string",
          "pattern": "^mqtt://[^/@\\s]+:[0-9]{1,5}$",
          "description": "The host \"broker\" is the one of the pipeline's broker, by the name the reader has for it."
        },
        "key": {
          "type": "string",
          "minLength": 1,
          "maxLength": 128,
          "description": "Password of those who send there, any user name; made anew at every start."
        }
      }
    },
    "codecs": {
      "type": "array",
      "items": {
        "type": "string",
        "maxLength": 64
      },
      "maxItems": 64,
      "uniqueItems": true,
      "description": "Worker: codecs of the wire it takes and makes; absent: raw alone."
    },
    "keepsStrips": {
      "type": "boolean",
      "description": "Worker: what it sent to other workers lately it sends again to one that wants it."
    },
    "slots": {
      "type": "integer",
      "minimum": 0,
      "description": "Worker: tasks it takes at once from each dispatcher."
    },
    "pins": {
      "type": "array",
      "description": "Worker: the only blocks (and tiles) it runs; absent: any.",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "block"
        ],
        "properties": {
          "block": {
            "type": "integer",
            "minimum": 0
          },
          "tile": {
            "type": "integer",
            "minimum": 0
          }
        }
      }
    },
    "plans": {
      "type": "object",
      "description": "Plans it knows, by digest; of a worker, with what it has loaded.",
      "additionalProperties": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "state"
        ],
        "properties": {
          "state": {
            "enum": [
              "loading",
              "ready",
              "failed"
            ]
          },
          "models": {
            "type": "array",
            "items": {
              "type": "string",
              "pattern": "^[0-9a-f]{64}$",
              "description": "SHA-256, lower-case hexadecimal."
            }
          },
          "error": {
            "type": "string"
          },
          "code": {
            "type": "string"
          }
        }
      }
    },
    "executor": {
      "type": "string"
    },
    "platform": {
      "type": "string"
    },
    "rssBytes": {
      "type": "integer",
      "minimum": 0
    },
    "uptimeSeconds": {
      "type": "number",
      "minimum": 0
    },
    "counters": {
      "type": "object",
      "additionalProperties": {
        "type": "number"
      }
    }
  }
};
