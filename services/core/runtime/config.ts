/** Configuration files: YAML, with secrets taken from the environment or from files of their own. */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { TilepipeError } from './errors.ts';
import type { Validator } from './validate.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Keys whose value may be `{file: path}`: the file's content stands in for it, as Kubernetes mounts secrets. */
const SECRETS: ReadonlySet<string> = new Set(['username', 'password', 'token', 'ca', 'cert', 'key']);
const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/**
 * Reads and validates a file. `${NAME}` and `${NAME:-otherwise}` in a value are taken from the environment.
 * Throws `config-invalid` with the file's name and the line or the key.
 */
export function loadConfig<T>(
  path: string,
  validate: Validator<T>,
  environment: Environment = process.env,
): T {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const problem = code === 'ENOENT' ? `${path} does not exist` : `${path}: ${message}`;
    throw new TilepipeError('config-invalid', problem, { cause: error });
  }
  return parseConfig(text, path, validate, environment);
}

/** The same for text at hand; `path` names it in messages, and `{file: ...}` is relative to its folder. */
export function parseConfig<T>(
  text: string,
  path: string,
  validate: Validator<T>,
  environment: Environment = process.env,
): T {
  const document = parseDocument(text, { prettyErrors: true });
  const [problem] = document.errors;
  if (problem)
    throw new TilepipeError(
      'config-invalid',
      `${path}: ${problem.message.split('\n')[0]?.replace(/:$/, '')}`,
    );
  const context: Context = { path, environment, folder: dirname(resolve(path)) };
  return validate(substitute(document.toJS() ?? {}, '', context), path);
}

interface Context {
  readonly path: string;
  readonly environment: Environment;
  readonly folder: string;
}

function substitute(value: unknown, at: string, context: Context): unknown {
  if (typeof value === 'string') return fromEnvironment(value, at, context);
  if (Array.isArray(value)) return value.map((item, i) => substitute(item, `${at}[${i}]`, context));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const path = at ? `${at}.${key}` : key;
      const file = SECRETS.has(key) ? secretFile(inner) : undefined;
      if (file === undefined) return [key, substitute(inner, path, context)];
      return [key, fromFile(fromEnvironment(file, path, context), path, context)];
    }),
  );
}

function secretFile(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object' || Object.keys(value).join() !== 'file') return undefined;
  const { file } = value as { file: unknown };
  return typeof file === 'string' ? file : undefined;
}

function fromEnvironment(text: string, at: string, { path, environment }: Context): string {
  return text.replace(VARIABLE, (_, name: string, otherwise: string | undefined) => {
    const value = environment[name] ?? otherwise;
    if (value !== undefined) return value;
    throw new TilepipeError('config-invalid', `${path}: ${at}: the environment variable ${name} is not set`);
  });
}

function fromFile(file: string, at: string, { path, folder }: Context): string {
  try {
    return readFileSync(resolve(folder, file), 'utf8').trimEnd();
  } catch (error) {
    throw new TilepipeError('config-invalid', `${path}: ${at}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
