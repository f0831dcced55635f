/** The options every command that reads a model shares. */

import type { Command } from 'commander';
import { type OpenedModel, openAnalysed } from '../services/controller/prepare.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { wholeNumber } from './numbers.ts';
import { modelProbe } from './probe.ts';

export interface ModelFlags {
  readonly model: string;
  readonly shape?: readonly string[];
  readonly fillSeed?: number;
}

const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];

export function modelOptions(command: Command): Command {
  return openingOptions(command.requiredOption('--model <file>', 'ONNX file'));
}

/** How a model is opened, without which. */
export function openingOptions(command: Command): Command {
  return command
    .option(
      '--shape <NAME=1x3xHxW>',
      'shape of an input whose dimensions are open (repeatable; NAME= may be left out)',
      collect,
    )
    .option(
      '--fill-seed <n>',
      'replace constant-filled weights (ConstantOfShape) by seeded random ones',
      wholeNumber,
    );
}

/** `images -> [1, 3, 416, 416]` from `images=1x3x416x416`; '' stands for the only input. */
export function parseShapes(texts: readonly string[] = []): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  for (const text of texts) {
    const at = text.lastIndexOf('=');
    const extents = text
      .slice(at + 1)
      .split('x')
      .map(Number);
    if (extents.some((extent) => !Number.isSafeInteger(extent) || extent < 1)) {
      throw new TilepipeError('usage', `shape "${text}" is not NAME=1x3xHxW`);
    }
    shapes.set(at < 0 ? '' : text.slice(0, at), extents);
  }
  return shapes;
}

/** Opens the model the flags name; the executor is asked where the operator table has no answer. */
export function openFlags(flags: ModelFlags): Promise<OpenedModel> {
  return openAnalysed(flags.model, {
    shapes: parseShapes(flags.shape),
    probe: modelProbe(),
    ...(flags.fillSeed === undefined ? {} : { fillSeed: flags.fillSeed }),
  });
}
