/** Every error a person or a program can meet, in one table; the docs page is generated from it. */

/** Exit codes of every command: 0 ok, 1 a check failed, 2 usage, 3 bad input, 4 environment. */
export const EXIT = { ok: 0, checkFailed: 1, usage: 2, badInput: 3, environment: 4 } as const;

interface ErrorRow {
  readonly exit: (typeof EXIT)[keyof typeof EXIT];
  /** What it means, for the docs page. */
  readonly meaning: string;
  /** What to do about it, for the docs page and for the command line. */
  readonly fix: string;
}

const row = (exit: ErrorRow['exit'], meaning: string, fix: string): ErrorRow => ({ exit, meaning, fix });

export const ERRORS = {
  usage: row(EXIT.usage, 'The command line is not understood.', 'See --help of the command.'),
  internal: row(EXIT.environment, 'A defect in Tilepipe itself.', 'Report it with the message and the log.'),
  interrupted: row(
    EXIT.checkFailed,
    'A signal ended the command before it was done.',
    'Run it again; what it had started has been stopped.',
  ),
  'config-invalid': row(
    EXIT.usage,
    'A configuration file is missing, or has an unknown key or a bad value.',
    'Correct the file or the key that is named.',
  ),
  'model-unreadable': row(
    EXIT.badInput,
    'The file is not there, is not an ONNX model, or is damaged.',
    'Check the path; export or download it again and check its sha256.',
  ),
  'model-unsupported': row(
    EXIT.badInput,
    'The model uses something no executor here can run.',
    'See the message for the node; re-export with other settings.',
  ),
  'model-refused': row(
    EXIT.badInput,
    'The executor refuses the model.',
    "The message is the executor's own; re-export the model.",
  ),
  'model-shape': row(
    EXIT.badInput,
    'A dimension of the model is open or contradictory.',
    'Fix it with --shape NAME=1x3xHxW.',
  ),
  'weights-missing': row(
    EXIT.badInput,
    'An external weight file is missing or too short.',
    'Put it beside the .onnx file under the name in the message.',
  ),
  'tiling-refused': row(
    EXIT.badInput,
    'The block cannot be cut as asked.',
    'Use a coarser grid; the message says how many rows and columns there are.',
  ),
  'plan-invalid': row(
    EXIT.badInput,
    'The plan contradicts itself or the model.',
    'Make it again with this version of Tilepipe.',
  ),
  'plan-impossible': row(
    EXIT.checkFailed,
    'No plan of the kinds asked for fits the devices and their memory.',
    'Add a device, give the devices named more memory, allow other strategies, or take a smaller model.',
  ),
  'accuracy-refused': row(
    EXIT.checkFailed,
    'Codecs lose more than the accuracy budget allows on the sample frames.',
    'Allow more (relativeRms, labels), give samples like the real frames, or plan with accuracy exact.',
  ),
  'wire-invalid': row(
    EXIT.badInput,
    'A message is malformed.',
    'Look at the sender named in the message; it may be another version.',
  ),
  'file-unreadable': row(
    EXIT.badInput,
    'A file the command line names is not there or cannot be read.',
    'Check the path, and that you may read it.',
  ),
  'image-invalid': row(
    EXIT.badInput,
    'What was sent as a picture is empty, no picture, or cannot be decoded.',
    'Check that the sender has the file, and send the bytes of a whole JPEG, PNG or WebP.',
  ),
  'image-too-large': row(
    EXIT.badInput,
    'The picture exceeds the limit of bytes or pixels.',
    'Send a smaller one or raise the limit in the configuration.',
  ),
  'tensor-invalid': row(
    EXIT.badInput,
    'The input tensor has the wrong type, shape or value.',
    'The message says what the model expects.',
  ),
  'frame-dropped': row(
    EXIT.checkFailed,
    'A frame was dropped because newer ones were waiting.',
    'Send fewer frames, add workers, or raise maxWaiting.',
  ),
  'frame-deadline': row(
    EXIT.checkFailed,
    'A frame was not finished before its deadline.',
    'The message names the missing tiles; look at the workers that hold them.',
  ),
  'task-failed': row(
    EXIT.checkFailed,
    'A worker could not run its sub-model.',
    "See the worker's log; the message is the executor's own.",
  ),
  'no-worker': row(
    EXIT.environment,
    'No worker holds the block that is to run.',
    'Start a worker, or wait until it has loaded the plan.',
  ),
  'links-unmeasured': row(
    EXIT.environment,
    'The workers could not measure their links in one round.',
    'Try again when no frames flow and nobody else has links measured; the message says what was in the way.',
  ),
  'strip-lost': row(
    EXIT.environment,
    'What another worker made for a task did not come, however often it was asked for.',
    'Look at the worker that the message names, and at its link; the frame was run again.',
  ),
  overloaded: row(
    EXIT.environment,
    'More tasks are waiting than may be kept.',
    'Send fewer frames per second, or add workers.',
  ),
  'broker-unreachable': row(
    EXIT.environment,
    'The MQTT broker does not answer.',
    'Check the address, or start one with: npx tilepipe broker',
  ),
  'broker-refused': row(
    EXIT.environment,
    'The MQTT broker refused the connection or a subscription.',
    "Check the credentials and the broker's log.",
  ),
  'message-too-large': row(
    EXIT.environment,
    'A message is larger than the broker takes.',
    "Send a smaller picture, or raise the broker's limit and broker.maxMessageBytes.",
  ),
  'port-taken': row(
    EXIT.environment,
    'The port is in use.',
    'Stop the other program or choose another port.',
  ),
  'cache-unwritable': row(
    EXIT.environment,
    'The cache folder cannot be written.',
    'Set TILEPIPE_CACHE to a folder you own, with space left.',
  ),
  'download-failed': row(
    EXIT.environment,
    'A download did not finish.',
    'Run the command again: it resumes where it stopped.',
  ),
  'digest-mismatch': row(
    EXIT.badInput,
    'The bytes are not those of the digest.',
    'Compare the sha256 with its source; a damaged cache entry is removed by itself.',
  ),
  'platform-unsupported': row(
    EXIT.environment,
    'The executor has no build for this platform.',
    'Use a 64-bit operating system (arm64 or x86-64).',
  ),
  'emulation-unavailable': row(
    EXIT.environment,
    'Devices cannot be emulated on this machine.',
    'Use a Linux machine as root, with iproute2 and the control group controller for processor time.',
  ),
  'memory-exceeded': row(
    EXIT.environment,
    'What runs on an emulated device holds more memory than the device is to have.',
    'Give the device more memory, or end what runs on it first.',
  ),
  'verify-failed': row(
    EXIT.checkFailed,
    'Tiled output differs from the uncut model.',
    'This is a defect: report the model and the geometry.',
  ),
  'conform-failed': row(
    EXIT.checkFailed,
    'A worker implementation breaks the protocol.',
    'docs/protocol.md names the rule.',
  ),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The one error class that reaches people: a code of the table, and a message that says what and where. */
export class TilepipeError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TilepipeError';
    this.code = code;
  }

  /** What to do about it. */
  get fix(): string {
    return ERRORS[this.code].fix;
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }
}

/** The error itself if it is ours, else an `internal` one that keeps its cause. */
export function asTilepipeError(error: unknown): TilepipeError {
  if (error instanceof TilepipeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TilepipeError('internal', message, { cause: error });
}
