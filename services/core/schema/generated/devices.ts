// Generated from schemas/ by `npm run generate`. Do not edit.

import { type Profile, profileSchema } from './profile.ts';

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
     * Milliseconds of its processor per message, in or out; 0.75 by default, as seen of a whole core.
     */
    messageMs?: number;
    /**
     * Milliseconds of its processor per byte, in or out; 0.00001 by default, ten seconds per gigabyte, as seen of a whole core.
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
     * Tasks it takes at once, as its worker's --slots: one computed, the others received meanwhile; 2 by default.
     */
    slots?: number;
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
     * Its worker has a broker of its own (--listen): what its neighbours send it need not go through the hub.
     */
    endpoint?: boolean;
    /**
     * Its figures were not measured on it.
     */
    estimated?: boolean;
  }[];
}

const { $schema: _profileSchema, $id: _profileSchemaId, ...profileSchemaPart } = profileSchema;
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
          "maximum": 1000000,
          "description": "Milliseconds of its processor per message, in or out; 0.75 by default, as seen of a whole core."
        },
        "byteMs": {
          "type": "number",
          "minimum": 0,
          "description": "Milliseconds of its processor per byte, in or out; 0.00001 by default, ten seconds per gigabyte, as seen of a whole core."
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
            "minimum": 0.001,
            "maximum": 1000000,
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
            "maximum": 1000000,
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
              profileSchemaPart
            ]
          },
          "like": {
            "type": "string",
            "description": "Name of a device whose profile it shares; marks it estimated."
          },
          "speed": {
            "type": "number",
            "minimum": 0.001,
            "maximum": 1000,
            "description": "How many times as fast as the profile says; 1 by default."
          },
          "slots": {
            "type": "integer",
            "minimum": 1,
            "maximum": 64,
            "description": "Tasks it takes at once, as its worker's --slots: one computed, the others received meanwhile; 2 by default."
          },
          "memory": {
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]+)?\\s*([KMG]i?)?B$",
            "description": "What its worker may use in all, '512MB'; absent: as the profile says."
          },
          "medium": {
            "type": "string",
            "description": "Between it and the hub; absent: it runs on the hub."
          },
          "mbit": {
            "type": "number",
            "minimum": 0.001,
            "maximum": 1000000,
            "description": "A full-duplex cable of its own, in megabits per second, instead of a medium."
          },
          "endpoint": {
            "type": "boolean",
            "description": "Its worker has a broker of its own (--listen): what its neighbours send it need not go through the hub."
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
