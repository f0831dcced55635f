/** `tilepipe conform`: examines any worker implementation against the protocol, rule by rule, over a real broker. */

import { TilepipeError } from '../services/core/runtime/errors.ts';
import type { Findings } from './conform/answers.ts';
import { type ConformOptions, Examiner } from './conform/examiner.ts';
import { Untold } from './conform/rule.ts';
import { RULES } from './conform/rules.ts';

export type { ConformOptions } from './conform/examiner.ts';

export interface RuleOutcome {
  readonly id: string;
  readonly title: string;
  /** Absent: it could not be told. */
  readonly pass?: boolean;
  readonly detail: string;
}

export interface Conformance {
  readonly rules: readonly RuleOutcome[];
  readonly pass: boolean;
}

/**
 * Starts `command` with TILEPIPE_BROKER, TILEPIPE_WORKER_ID and TILEPIPE_CACHE in its environment and examines it;
 * once more after it was killed. Every rule is examined, whatever became of those before it. `progress` hears of each.
 * It passes where no rule was seen to be broken. Rejects with `conform-failed` where the command ends before it has
 * begun, and with `usage` where it cannot be started.
 */
export async function conform(
  command: readonly string[],
  options: ConformOptions,
  progress: (outcome: RuleOutcome) => void = () => {},
): Promise<Conformance> {
  if (command.length === 0)
    throw new TilepipeError('usage', 'conform needs the command that starts the worker');
  const examiner = new Examiner(command, options);
  const findings: Findings = {};
  const rules: RuleOutcome[] = [];
  try {
    await examiner.start();
    for (const { id, title, check } of RULES) {
      const outcome = await check(examiner, findings).then(
        (detail): RuleOutcome => ({ id, title, pass: true, detail }),
        (error: unknown): RuleOutcome => ({
          id,
          title,
          ...(error instanceof Untold ? {} : { pass: false }),
          detail: error instanceof Error ? error.message : String(error),
        }),
      );
      if (rules.length === 0 && outcome.pass === false && !examiner.running) throw gone(examiner, outcome);
      rules.push(outcome);
      progress(outcome);
    }
  } finally {
    await examiner.stop();
  }
  return { rules, pass: rules.every(({ pass }) => pass !== false) };
}

function gone({ started, command }: Examiner, { id, detail }: RuleOutcome): TilepipeError {
  return started
    ? new TilepipeError('conform-failed', `${command}: ${detail}, before it said that it is online (${id})`)
    : new TilepipeError('usage', `${command} cannot be started: ${detail}`);
}
