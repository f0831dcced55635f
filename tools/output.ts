/** What commands print: tables and progress for people, one JSON document for machines. */

import Table from 'cli-table3';

/** A table without colours, so that it reads the same in a log; numbers should come formatted. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const drawn = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  for (const row of rows) drawn.push(row.map(String));
  return drawn.toString();
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Progress on standard error: one line rewritten on a terminal, nothing elsewhere, so that pipes stay clean. */
export class Progress {
  readonly #active = process.stderr.isTTY === true;

  say(text: string): void {
    if (this.#active) process.stderr.write(`\r\x1b[2K${text}`);
  }

  clear(): void {
    if (this.#active) process.stderr.write('\r\x1b[2K');
  }
}

const UNITS = ['B', 'KB', 'MB', 'GB'];

/** Bytes for people, in powers of 1000. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** Milliseconds for people. */
export function ms(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

/** Multiply-accumulates for people. */
export function macs(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(2)} G` : `${(count / 1e6).toFixed(1)} M`;
}
