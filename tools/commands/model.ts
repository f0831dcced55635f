/** `tilepipe model add`: a model into the model folder, from a file or an address, its digest checked. */

import type { Command } from 'commander';
import { addModel } from '../model-add.ts';
import { print, printJson } from '../output.ts';

interface Flags {
  readonly sha256?: string;
  readonly name?: string;
  readonly licence?: string;
  readonly labels?: string;
  readonly json?: boolean;
}

export function register(program: Command): void {
  const model = program.command('model').description('The model folder of this machine');
  model.addHelpText(
    'after',
    '\nExample:\n  npx tilepipe model add yolo.onnx --sha256 <digest> --licence Apache-2.0',
  );
  model
    .command('add')
    .description('Copy or download a model (resumable), check its digest, note its licence and labels')
    .argument('<source>', 'ONNX file or http(s) address')
    .option('--sha256 <digest>', 'digest the bytes must have; required for an address')
    .option('--name <name>', 'name in the folder (default: from the source)')
    .option('--licence <text>', 'licence of the model, kept beside it')
    .option('--labels <text>', 'label list it was trained with, kept beside it')
    .option('--json', 'print model-note.schema.json')
    .addHelpText(
      'after',
      '\nExample:\n  npx tilepipe model add https://example.org/yolo.onnx --sha256 <digest> --licence Apache-2.0',
    )
    .action(async (source: string, flags: Flags) => {
      const note = await addModel(source, flags);
      if (flags.json) printJson(note);
      else
        print(
          `${note.file}\n  sha256 ${note.sha256}, ${note.bytes} bytes${note.licence === undefined ? '' : `, ${note.licence}`}`,
        );
    });
}
