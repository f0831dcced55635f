// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * What a command with --json prints on standard output in place of its report where it fails.
 */
export interface ErrorReport {
  error: ReportedError;
}
export interface ReportedError {
  /**
   * Code of the table of errors: usage, model-unreadable and so on.
   */
  code: string;
  /**
   * What went wrong, and where.
   */
  message: string;
  /**
   * What to do about it.
   */
  fix: string;
}

export const errorReportSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "error-report.schema.json",
  "title": "ErrorReport",
  "description": "What a command with --json prints on standard output in place of its report where it fails.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "error"
  ],
  "properties": {
    "error": {
      "title": "ReportedError",
      "type": "object",
      "additionalProperties": false,
      "required": [
        "code",
        "message",
        "fix"
      ],
      "properties": {
        "code": {
          "type": "string",
          "description": "Code of the table of errors: usage, model-unreadable and so on."
        },
        "message": {
          "type": "string",
          "description": "What went wrong, and where."
        },
        "fix": {
          "type": "string",
          "description": "What to do about it."
        }
      }
    }
  }
};
