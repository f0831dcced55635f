/** Every topic Tilepipe uses, in one table. Nothing else in the program spells a topic. */

import { TilepipeError } from '../runtime/errors.ts';

export const ROLES = ['broker', 'splitter', 'worker', 'merger', 'controller'] as const;
export type Role = (typeof ROLES)[number];

interface TopicRow {
  /** Segments in braces are names; `{root}` is the configured prefix, 'tilepipe' by default. */
  readonly template: string;
  readonly channel: 'control' | 'data' | 'intake';
  readonly qos: 0 | 1;
  readonly retained: boolean;
  readonly publisher: string;
  readonly subscriber: string;
  /** What it carries, for the docs page. */
  readonly payload: string;
}

export const TOPICS = {
  status: {
    template: '{root}/status/{role}/{id}',
    channel: 'control',
    qos: 1,
    retained: true,
    publisher: 'every service, and the broker as its Last Will',
    subscriber: 'splitter, merger, controller, people',
    payload: 'status.schema.json: online, draining or offline; what a worker has loaded',
  },
  profile: {
    template: '{root}/profile/{id}',
    channel: 'control',
    qos: 1,
    retained: true,
    publisher: 'worker, where it is told to measure itself',
    subscriber: 'controller',
    payload: 'profile.schema.json: what its operators, its memory and its link cost',
  },
  links: {
    template: '{root}/links/{id}',
    channel: 'control',
    qos: 1,
    retained: false,
    publisher: 'controller; profile --together',
    subscriber: 'workers that publish a profile; who has asked, in case another does',
    payload: 'link-round.schema.json: measure your links now, in turns and then all at once; id: who asks',
  },
  probe: {
    template: '{root}/probe/{id}/{way}',
    channel: 'data',
    qos: 0,
    retained: false,
    publisher: 'a worker that measures its link',
    subscriber: 'the same worker (way "back", "glance"), nobody (way "out")',
    payload: 'bytes that mean nothing',
  },
  glance: {
    template: '{root}/glance/{id}',
    channel: 'control',
    qos: 0,
    retained: false,
    publisher: 'controller, where no task tells of a link; the worker that is asked',
    subscriber: 'the worker, controller',
    payload:
      'link-glance.schema.json: how long do so many bytes take you? with `ms`, the answer; id: the worker',
  },
  plan: {
    template: '{root}/plan/{pipeline}',
    channel: 'control',
    qos: 1,
    retained: true,
    publisher: 'controller',
    subscriber: 'splitter, worker, merger',
    payload: 'announcement.schema.json: the plan, its digest, and where its sub-models are',
  },
  frame: {
    template: '{root}/frame/{pipeline}/{source}',
    channel: 'intake',
    qos: 1,
    retained: false,
    publisher: 'cameras, send',
    subscriber: 'splitter',
    payload: 'a JPEG, PNG or WebP file, or a wire message of kind frame with the input tensor',
  },
  inbox: {
    template: '{root}/{role}/{id}/in',
    channel: 'data',
    qos: 0,
    retained: false,
    publisher: 'splitter, worker, merger',
    subscriber: 'the one service it names',
    payload: 'wire messages (docs/protocol.md)',
  },
  telemetry: {
    template: '{root}/telemetry/{role}/{id}',
    channel: 'control',
    qos: 0,
    retained: false,
    publisher: 'splitter, merger',
    subscriber: 'controller, people',
    payload: 'telemetry.schema.json: what its tasks took in the last half second, by worker and task',
  },
  result: {
    template: '{root}/result/{pipeline}/{source}',
    channel: 'control',
    qos: 1,
    retained: false,
    publisher: 'merger; splitter, for frames that end as an error',
    subscriber: 'splitter; anybody else: the bridge, watch, people',
    payload: 'result.schema.json: the answer for one frame, or the error that ended it',
  },
  tensors: {
    template: '{root}/tensors/{pipeline}/{source}',
    channel: 'data',
    qos: 0,
    retained: false,
    publisher: 'merger, for pipelines whose task is tensors',
    subscriber: 'verify, send, programs',
    payload: 'wire messages of kind result with the raw outputs',
  },
} as const satisfies Record<string, TopicRow>;

export type TopicName = keyof typeof TOPICS;
type Names<T extends string> = T extends `${string}{${infer N}}${infer Rest}` ? N | Names<Rest> : never;
export type TopicNames<T extends TopicName> = Exclude<Names<(typeof TOPICS)[T]['template']>, 'root'>;

/** Templates by level: topics are parsed for every message. */
const LEVELS = Object.fromEntries(
  Object.entries(TOPICS).map(([name, { template }]) => [name, template.split('/')]),
) as Record<TopicName, string[]>;

/** One topic level: MQTT wildcards, separators and control characters would change who receives it. */
const LEVEL = /^[A-Za-z0-9_.-]{1,64}$/;

/** Whether a name may stand as one level of a topic. */
export function isTopicLevel(name: string): boolean {
  return LEVEL.test(name);
}

export class Topics {
  readonly root: string;

  constructor(root = 'tilepipe') {
    this.root = root;
  }

  /** The topic of a row; every name must be one plain level. */
  build<T extends TopicName>(topic: T, names: Record<TopicNames<T>, string>): string {
    return this.#fill(topic, names, false);
  }

  /** A subscription filter: `+` may stand for a name. */
  filter<T extends TopicName>(topic: T, names: Record<TopicNames<T>, string>): string {
    return this.#fill(topic, names, true);
  }

  /**
   * The names in a topic of this row: `parse(build(x)) = x`. Undefined where it is another's, and where a name is
   * none that `build` takes: anybody may publish under a topic that nobody here could answer on.
   */
  parse<T extends TopicName>(topic: T, text: string): Record<TopicNames<T>, string> | undefined {
    if (!text.startsWith(`${this.root}/`)) return undefined;
    const levels = LEVELS[topic];
    const given = text.slice(this.root.length + 1).split('/');
    if (given.length !== levels.length - 1) return undefined;
    const names: Record<string, string> = {};
    for (let i = 1; i < levels.length; i++) {
      const level = levels[i] as string;
      const value = given[i - 1] as string;
      if (level.startsWith('{')) {
        if (!isTopicLevel(value)) return undefined;
        names[level.slice(1, -1)] = value;
      } else if (level !== value) return undefined;
    }
    return names as Record<TopicNames<T>, string>;
  }

  /** Whether a topic is some service's inbox: what a message says of where to answer may be anything. */
  isInbox(topic: string | undefined): topic is string {
    return topic !== undefined && this.parse('inbox', topic) !== undefined;
  }

  #fill(topic: TopicName, names: Readonly<Record<string, string>>, wildcards: boolean): string {
    return TOPICS[topic].template.replace(/\{(\w+)\}/g, (_, name: string) => {
      if (name === 'root') return this.root;
      const value = names[name] ?? '';
      if (!isTopicLevel(value) && !(wildcards && value === '+')) {
        throw new TilepipeError(
          'config-invalid',
          `${name} "${value}" cannot stand in a topic: use letters, digits, "-", "_" and "."`,
        );
      }
      return value;
    });
  }
}
