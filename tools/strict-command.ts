/** A command that names the flag it does not know before the one that is missing: a mistyped flag is both. */

import { Command, type ErrorOptions, type ParseOptionsResult } from 'commander';
import { nearest } from '../services/core/runtime/suggest.ts';

/** What commander reports first, although the flag is there and only spelled in another way. */
const MISSING = 'commander.missingMandatoryOptionValue';

export class StrictCommand extends Command {
  /** The first flag of the last command line that this command does not have. */
  #stranger: string | undefined;

  override createCommand(name?: string): Command {
    return new StrictCommand(name);
  }

  override parseOptions(argv: string[]): ParseOptionsResult {
    const parsed = super.parseOptions(argv);
    this.#stranger = parsed.unknown.find((word) => word.startsWith('-'));
    return parsed;
  }

  override error(message: string, options?: ErrorOptions): never {
    if (options?.code !== MISSING || this.#stranger === undefined) super.error(message, options);
    const flag = this.#stranger.replace(/=.*$/s, '');
    const flags = this.options.flatMap(({ long }) => (long === null || long === undefined ? [] : [long]));
    const meant = nearest(flag, flags);
    const hint = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
    super.error(`error: unknown option '${flag}'${hint}`, { code: 'commander.unknownOption' });
  }
}
