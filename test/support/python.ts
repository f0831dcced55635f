/** A Python that can run the worker in test/python-worker. Where there is none its tests are skipped, loudly. */

import { spawnSync } from 'node:child_process';

const WANTED =
  'import paho.mqtt.client, onnxruntime, numpy; assert hasattr(paho.mqtt.client, "CallbackAPIVersion")';

function find(): string | undefined {
  const candidates = process.env.TILEPIPE_PYTHON ? [process.env.TILEPIPE_PYTHON] : ['python3'];
  const found = candidates.find(
    (python) => spawnSync(python, ['-c', WANTED], { stdio: 'ignore' }).status === 0,
  );
  if (found === undefined) {
    process.stderr.write(
      `SKIPPED: ${candidates.join()} lacks the Python worker's packages: pip install -r test/python-worker/requirements.txt ` +
        'into a venv and set TILEPIPE_PYTHON to its python\n',
    );
  }
  return found;
}

/** Path of the interpreter, or undefined. */
export const PYTHON = find();
export const PYTHON_WORKER = new URL('../python-worker/worker.py', import.meta.url).pathname;
