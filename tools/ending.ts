/** How every command ends: with its exit code, and with what went wrong and what to do. */

import { CommanderError } from 'commander';
import { asTilepipeError, EXIT, TilepipeError } from '../services/core/runtime/errors.ts';
import type { ErrorReport } from '../services/core/schema/generated/error-report.ts';
import { printJson } from './output.ts';

/** Sets the exit code of this process; an error is said on standard error, and as a document where `json` asks for it. */
export async function toItsEnd(command: () => Promise<unknown>, json = false): Promise<void> {
  process.stdout.on('error', readerGone);
  try {
    await command();
  } catch (error) {
    const code = report(error, json);
    // What was under way when the signal came is not waited for: everything it started has been stopped.
    if (error instanceof TilepipeError && error.code === 'interrupted') process.exit(code);
    process.exitCode = code;
  }
}

/** `tilepipe watch | head -1`: nobody reads any more. Services this process started end when it does. */
function readerGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.ok);
}

/** Says what went wrong and what to do; returns the exit code. */
function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    // For people it is on standard error by now.
    if (json) printError(new TilepipeError('usage', error.message.replace(/^error: /, '')));
    return EXIT.usage;
  }
  const known = asTilepipeError(error);
  if (json) printError(known);
  process.stderr.write(`tilepipe: ${known.message} [${known.code}]\n  ${known.fix}\n`);
  if (known.code === 'internal' && known.cause instanceof Error)
    process.stderr.write(`${known.cause.stack}\n`);
  return known.exit;
}

/** error-report.schema.json */
function printError({ code, message, fix }: TilepipeError): void {
  const document: ErrorReport = { error: { code, message, fix } };
  printJson(document);
}
