/** Values against JSON Schemas: past this edge their types are trusted. */

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { type ErrorCode, TilepipeError } from './errors.ts';
import { nearest } from './suggest.ts';

/** Problems named in one message; a hostile document can have a million. */
const SHOWN = 20;

export interface ValidatorOptions {
  /** What the value is, for the message: 'tilepipe.yaml'. */
  readonly what?: string;
  /** Stop at the first problem: for documents from the network. */
  readonly firstOnly?: boolean;
}

export type Validator<T> = (value: unknown, what?: string) => T;

/** Verbose gives each error its schema, from which known keys are told. Defaults are filled in by ajv. */
const settings = { strict: true, verbose: true, useDefaults: true, keywords: ['tsType'] };
const complete = new Ajv({ ...settings, allErrors: true });
const quick = new Ajv(settings);

/**
 * A function that returns its argument as `T`, with the schema's defaults filled in, or throws a TilepipeError
 * of `code` that lists every problem as `path: message`. Compiling happens on first use.
 */
export function validator<T>(
  schema: object,
  code: ErrorCode,
  { what, firstOnly = false }: ValidatorOptions = {},
): Validator<T> {
  let compiled: ValidateFunction | undefined;
  return (value, name = what) => {
    compiled ??= (firstOnly ? quick : complete).compile(schema);
    if (compiled(value)) return value as T;
    const problems = problemList(compiled.errors ?? []);
    const more = problems.length > SHOWN ? [`and ${problems.length - SHOWN} more`] : [];
    const text = [...problems.slice(0, SHOWN), ...more].join('; ');
    throw new TilepipeError(code, name === undefined ? text : `${name}: ${text}`);
  };
}

function problemList(errors: readonly ErrorObject[]): string[] {
  return [...new Set(errors.map(problem))];
}

function problem(error: ErrorObject): string {
  const path = readable(error.instancePath);
  const { params } = error;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params.additionalProperty);
      const known = Object.keys((error.parentSchema?.properties as object | undefined) ?? {});
      const meant = nearest(key, known);
      const hint = meant ? `did you mean "${meant}"?` : known.length > 0 ? `known: ${known.join(', ')}` : '';
      return `${join(path, key)}: unknown key${hint ? `, ${hint}` : ''}`;
    }
    case 'required':
      return `${join(path, String(params.missingProperty))}: is missing`;
    case 'enum': {
      const allowed = (params.allowedValues as unknown[]).map(String);
      const meant = typeof error.data === 'string' ? nearest(error.data, allowed) : undefined;
      return `${path}: must be one of ${allowed.join(', ')}${meant ? `; did you mean "${meant}"?` : ''}`;
    }
    case 'const':
      return `${path}: must be ${JSON.stringify(params.allowedValue)}`;
    default:
      return `${path}: ${error.message ?? error.keyword}`;
  }
}

/** `/tasks/0/id` as `tasks[0].id`; the value itself as `value`. */
function readable(pointer: string): string {
  const keys = pointer.split('/').slice(1);
  const path = keys.reduce((text, key) => join(text, key.replaceAll('~1', '/').replaceAll('~0', '~')), '');
  return path || 'value';
}

function join(path: string, key: string): string {
  if (/^\d+$/.test(key)) return `${path}[${key}]`;
  return path === '' || path === 'value' ? key : `${path}.${key}`;
}
