/** What codecs cost: the graph with them against the graph without, both whole, on sample frames. */

import type { CodedGraph } from '../../services/core/graph/cut-codecs.ts';
import type { Graph } from '../../services/core/graph/types.ts';
import { asTilepipeError } from '../../services/core/runtime/errors.ts';
import { type AnswerBody, answer } from '../../services/core/vision/answer.ts';
import { floatsOf } from '../../services/core/vision/floats.ts';
import type { Settings } from '../../services/core/vision/settings.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { type Agreement, agreement, sameLabels } from './agreement.ts';
import { openGraph, type RunnerDeps } from './graph-runner.ts';
import type { Sample } from './samples.ts';

export interface OutputLoss {
  readonly name: string;
  /** Root of the summed squared differences over that of the summed squares, all samples together; Infinity where it is no number. */
  readonly relativeRms: number;
  /** Per sample the largest difference over the largest magnitude, the worst of them; Infinity where it is no number. */
  readonly maxRelDiff: number;
}

export interface Accuracy {
  readonly samples: number;
  readonly outputs: readonly OutputLoss[];
  /** The worst output's. */
  readonly relativeRms: number;
  readonly maxRelDiff: number;
  /**
   * Share of what the answers say that both say: the best class of each sample; of detections those with a partner of
   * their class that overlaps by half. Absent where answers are raw tensors, or nothing was found in any sample.
   */
  readonly labels?: number;
  /** Samples of whose answers both name the same classes, whatever their places; absent where answers are raw tensors. */
  readonly equalLabels?: number;
}

/** Runs both graphs on every sample. `settings` say what an answer is. */
export async function accuracyOf(
  deps: RunnerDeps,
  graph: Graph,
  coded: Pick<CodedGraph, 'graph'>,
  samples: readonly Sample[],
  settings: Pick<Settings, 'answer'>,
): Promise<Accuracy> {
  const compared = new OutputComparison(settings);
  const plain = await openGraph(deps, graph);
  const changed = await openGraph(deps, coded.graph);
  try {
    for (const sample of samples)
      compared.add(sample, await plain.run(sample.inputs), await changed.run(sample.inputs));
  } finally {
    await plain.close();
    await changed.close();
  }
  return compared.result();
}

interface ComparedAnswers extends Agreement {
  readonly same: boolean;
}

/** Outputs of two ways to run a model, sample by sample. */
export class OutputComparison {
  readonly #settings: Pick<Settings, 'answer'>;
  readonly #losses = new Map<string, Loss>();
  readonly #answers: ComparedAnswers[] = [];
  #samples = 0;

  constructor(settings: Pick<Settings, 'answer'>) {
    this.#settings = settings;
  }

  /** Outputs of one sample, those of one name compared with each other. */
  add(sample: Sample, expected: readonly TensorData[], actual: readonly TensorData[]): void {
    this.#samples++;
    const made = expected.map(({ name }) => actual.find((tensor) => tensor.name === name) as TensorData);
    for (const [at, tensor] of expected.entries()) {
      const loss = this.#losses.get(tensor.name) ?? new Loss();
      this.#losses.set(tensor.name, loss);
      loss.add(made[at] as TensorData, tensor);
    }
    const compared = compareAnswers(sample, this.#settings, expected, made);
    if (compared !== undefined) this.#answers.push(compared);
  }

  result(): Accuracy {
    const outputs = [...this.#losses].map(([name, loss]): OutputLoss => ({ name, ...loss.result() }));
    const answers = this.#answers;
    const statements = answers.reduce((sum, each) => sum + each.statements, 0);
    const agreed = answers.reduce((sum, each) => sum + each.agreed, 0);
    return {
      samples: this.#samples,
      outputs,
      relativeRms: Math.max(0, ...outputs.map(({ relativeRms }) => relativeRms)),
      maxRelDiff: Math.max(0, ...outputs.map(({ maxRelDiff }) => maxRelDiff)),
      ...(statements === 0 ? {} : { labels: agreed / statements }),
      ...(answers.length === 0 ? {} : { equalLabels: answers.filter(({ same }) => same).length }),
    };
  }
}

function compareAnswers(
  { letterbox }: Sample,
  { answer: settings }: Pick<Settings, 'answer'>,
  expected: readonly TensorData[],
  actual: readonly TensorData[],
): ComparedAnswers | undefined {
  if (letterbox === undefined || settings.task === 'tensors') return undefined;
  const a = answer(settings, expected, letterbox);
  const b = answerOrNone(() => answer(settings, actual, letterbox)) ?? { ...a, classes: [], detections: [] };
  return { ...agreement(a, b), same: sameLabels(a, b) };
}

/** Undefined of outputs that no answer can be read from: halves of large values, and all after them, are no numbers. */
function answerOrNone(read: () => AnswerBody): AnswerBody | undefined {
  try {
    return read();
  } catch (error) {
    if (asTilepipeError(error).code === 'task-failed') return undefined;
    throw error;
  }
}

class Loss {
  #error = 0;
  #power = 0;
  #worst = 0;

  add(actual: TensorData, expected: TensorData): void {
    const [a, b] = [floatsOf(actual), floatsOf(expected)];
    let [error, power, largest, gap] = [0, 0, 0, 0];
    for (let i = 0; i < b.length; i++) {
      const x = a[i] as number;
      const y = b[i] as number;
      // Equal infinities differ by NaN when subtracted.
      const difference = x === y ? 0 : Math.abs(x - y);
      const magnitude = Math.abs(y);
      error += difference * difference;
      power += magnitude * magnitude;
      if (difference > gap) gap = difference;
      if (magnitude > largest) largest = magnitude;
    }
    this.#error += error;
    this.#power += power;
    this.#worst = Math.max(this.#worst, share(Number.isNaN(error) ? error : gap, largest));
  }

  result(): Omit<OutputLoss, 'name'> {
    return { relativeRms: Math.sqrt(share(this.#error, this.#power)), maxRelDiff: this.#worst };
  }
}

/** What is no number is as wrong as can be; nothing lost of nothing is nothing. */
function share(part: number, all: number): number {
  if (part === 0) return 0;
  const ratio = part / all;
  return Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
}
