/** The file `up` and `controller` read: validated, its defaults those of config.schema.json. */

import { loadConfig } from '../services/core/runtime/config.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { validator } from '../services/core/runtime/validate.ts';
import { type Config, configSchema } from '../services/core/schema/generated/config.ts';

type With<T, K extends keyof T> = T & Required<Pick<T, K>>;
type Section<K extends keyof Config> = NonNullable<Config[K]>;
type Listed = Config['pipelines'][number];

/** `maxInFlight` where nothing is said, and no plan asks for more. */
export const FRAMES_IN_FLIGHT = 4;

/** With `grid` it is cut so; without it is planned, as `plan` says where it is there. */
export type PipelineConfig = With<Listed, 'maxWaiting' | 'deadlineMs' | 'attempts'>;

/** A configuration after validation, which fills in every default. */
export interface FullConfig extends Omit<Config, 'broker' | 'pipelines'> {
  readonly root: string;
  readonly combined: boolean;
  readonly broker: Omit<
    With<Section<'broker'>, 'host' | 'port' | 'protocol' | 'maxMessageBytes'>,
    'password'
  > & {
    /** As text: a `{file: path}` has been read by now. */
    readonly password?: string;
  };
  readonly store: With<Section<'store'>, 'host' | 'port'>;
  readonly health: With<Section<'health'>, 'host'>;
  readonly workers: Required<Section<'workers'>>;
  readonly pipelines: readonly PipelineConfig[];
}

const check = validator<FullConfig>(configSchema, 'config-invalid');

/** Throws `config-invalid` with the file and the key. */
export function readConfig(file: string): FullConfig {
  const config = loadConfig(file, check);
  const names = config.pipelines.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw invalid(file, `pipelines: "${twice}" is there twice`);
  const both = config.pipelines.findIndex(({ grid, plan }) => grid !== undefined && plan !== undefined);
  if (both >= 0)
    throw invalid(file, `pipelines[${both}]: grid and plan exclude each other: grid is one fixed plan`);
  const { url, protocol } = config.broker;
  if (url === undefined && protocol === 5)
    throw invalid(
      file,
      'broker.protocol: the embedded broker speaks 4 (MQTT 3.1.1) only; give broker.url or leave it out',
    );
  if (url !== undefined && !URL.canParse(url)) throw invalid(file, `broker.url: "${url}" is no address`);
  return config;
}

function invalid(file: string, problem: string): TilepipeError {
  return new TilepipeError('config-invalid', `${file}: ${problem}`);
}
