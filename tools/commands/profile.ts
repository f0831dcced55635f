/** `tilepipe profile`: what this machine's operators, memory and link cost. */

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { type BrokerAddress, Connections } from '../../services/core/bus/connections.ts';
import { sharedText } from '../../services/core/planning/advise/shared-media-text.ts';
import { rateText } from '../../services/core/planning/advise/units.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import type { LinksReport } from '../../services/core/schema/generated/links-report.ts';
import { type Profile, profileSchema } from '../../services/core/schema/generated/profile.ts';
import { type Link, measureLink } from '../../services/worker/profile/link.ts';
import { checkedName } from '../device-name.ts';
import { measuredLinks } from '../measured-links.ts';
import { openFlags } from '../model-flags.ts';
import { threadCount, wholeNumber } from '../numbers.ts';
import { bytes, ms, Progress, print, printJson, table } from '../output.ts';
import { checkFolder, writeOutput } from '../output-file.ts';
import { ownProfile } from '../own-profile.ts';
import { type BrokerFlags, brokerAddress, brokerOptions } from '../service-flags.ts';

interface Flags extends BrokerFlags {
  readonly model?: string;
  readonly shape?: readonly string[];
  readonly fillSeed?: number;
  readonly threads?: number;
  readonly id?: string;
  readonly fresh?: boolean;
  readonly json?: boolean;
  readonly output?: string;
  readonly together?: boolean;
}

/** What is about this machine. */
const OWN = ['model', 'shape', 'fillSeed', 'threads', 'id', 'fresh', 'output'] as const;
const flagOf = (name: (typeof OWN)[number]): string => (name === 'fillSeed' ? '--fill-seed' : `--${name}`);

const ID = new RegExp(profileSchema.properties.device.pattern);
const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];

export function register(program: Command): void {
  brokerOptions(program.command('profile'))
    .description('Measure what operators, memory and (with --broker) the link cost on this machine')
    .option('--model <file>', "measure this model's own layers as well")
    .option('--shape <NAME=1x3xHxW>', 'shape of an input whose dimensions are open (repeatable)', collect)
    .option('--fill-seed <n>', 'replace constant-filled weights by seeded random ones', wholeNumber)
    .option('--threads <n>', 'threads of one run, 1 by default', threadCount)
    .option('--id <name>', 'device the profile is for (default: the host name)')
    .option('--fresh', 'measure again, whatever the cache holds')
    .option('--together', 'instead: have all workers measure their links, each alone and all at once')
    .option('--json', 'print profile.schema.json (--together: links-report.schema.json)')
    .option('--output <file>', 'write the profile there, for a devices.yaml')
    .addHelpText(
      'after',
      '\nExamples:\n  npx tilepipe profile --model yolo.onnx --output kitchen.json\n  npx tilepipe profile --together --broker mqtt://hub.local',
    )
    .action(async (flags: Flags) => {
      if (flags.together) return together(flags);
      const { id, output } = flags;
      if (id !== undefined && !ID.test(id))
        throw new TilepipeError('usage', `--id "${id}" is not 1 to 64 letters, digits, "-", "_" and "."`);
      if (id !== undefined) checkedName(id, 'usage');
      for (const name of ['shape', 'fillSeed'] as const)
        if (flags[name] !== undefined && flags.model === undefined)
          throw new TilepipeError('usage', `${flagOf(name)} goes with --model`);
      if (output !== undefined) checkFolder(output);
      const profile = await profileOf(flags);
      if (output !== undefined) writeOutput(output, `${JSON.stringify(profile, null, 2)}\n`);
      if (flags.json) printJson(profile);
      else show(profile);
    });
}

async function together(flags: Flags): Promise<void> {
  const own = OWN.find((name) => flags[name] !== undefined);
  if (own !== undefined)
    throw new TilepipeError(
      'usage',
      `--together is about links, not about this machine: leave ${flagOf(own)} out`,
    );
  const report = await measuredLinks(brokerAddress(flags));
  if (flags.json) printJson(report);
  else showLinks(report);
}

function showLinks({ devices, shared }: LinksReport): void {
  const rows = devices.map(
    ({ id, latencyMs, aloneOutBytesPerMs, aloneBothBytesPerMs, outBytesPerMs, bothBytesPerMs }) => [
      id,
      ms(latencyMs),
      rateText(aloneOutBytesPerMs),
      rateText(aloneBothBytesPerMs),
      rateText(outBytesPerMs),
      rateText(bothBytesPerMs),
      `${Math.round((100 * outBytesPerMs) / aloneOutBytesPerMs)} %`,
    ],
  );
  print(
    table(
      ['device', 'latency', 'alone', 'alone, both ways', 'together', 'together, both ways', 'left'],
      rows,
    ),
  );
  const nothing = 'nothing is shared that these figures could show: a link each';
  print(shared === undefined ? nothing : sharedText(shared.devices, shared, shared.place === 'hub'));
}

async function profileOf(flags: Flags): Promise<Profile> {
  // The link first: a broker that is not there is told before half a minute has gone.
  const link = flags.broker === undefined ? undefined : await linkTo(brokerAddress(flags));
  const own = await measured(flags);
  return link === undefined ? own : { ...own, link };
}

async function linkTo(address: BrokerAddress): Promise<Link> {
  const id = `profile-${randomBytes(8).toString('hex')}`;
  const channels = new Connections({ ...address, service: id });
  await channels.start();
  try {
    const { topics, data } = channels;
    return await measureLink({ data, topic: topics.build('inbox', { role: 'worker', id }) });
  } finally {
    await channels.stop();
  }
}

async function measured(flags: Flags): Promise<Profile> {
  const { threads = 1, fresh, id } = flags;
  const model = flags.model === undefined ? undefined : await openFlags({ ...flags, model: flags.model });
  const line = new Progress();
  try {
    return await ownProfile({ threads, fresh, device: id, model, progress: (text) => line.say(text) });
  } finally {
    line.clear();
  }
}

function show(profile: Profile): void {
  const { hardware, link } = profile;
  const quota = hardware.quota === undefined ? '' : `, ${hardware.quota} of a processor`;
  print(`${profile.device}: ${hardware.processor} (${hardware.arch}), threads ${hardware.threads}${quota}`);
  print(
    `${profile.executor}; memory ${profile.memoryBytes === undefined ? 'unlimited' : bytes(profile.memoryBytes)}, ${bytes(profile.idleBytes)} before any model`,
  );
  print(`a task ${ms(profile.taskMs)}, the wire ${rate(profile.byteMs)} of the processor`);
  const rows = Object.entries(profile.kinds).map(([kind, cost]) => [
    kind,
    `${(cost.run * 1000).toFixed(0)} us`,
    cost.mac === 0 ? '-' : `${(1e-6 / cost.mac).toFixed(1)} GMAC/s`,
    rate(cost.byte),
    rate(cost.weight),
    cost.error === undefined ? '-' : `${(100 * cost.error).toFixed(0)} %`,
    cost.samples ?? 0,
  ]);
  print(table(['kind', 'each', 'multiplies', 'activations', 'weights', 'error', 'samples'], rows));
  if (link === undefined) return;
  print(`link: ${ms(link.latencyMs)} one way, ${((link.upBytesPerMs * 8) / 1000).toFixed(1)} Mbit/s`);
}

/** Milliseconds per byte as gigabytes per second; a cost of nothing as '-'. */
function rate(msPerByte: number): string {
  return msPerByte === 0 ? '-' : `${(1e-6 / msPerByte).toFixed(1)} GB/s`;
}
