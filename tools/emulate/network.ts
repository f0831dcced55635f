/**
 * The emulated network: a namespace per device, and one of its own for what lies between them.
 *
 * Wired: every device has a cable to one switch, shaped at both ends. Wi-Fi: what any device sends passes one shaper,
 * whatever its direction, before it reaches another: two bridges with a one-way pair between them, so that nothing
 * but bridges and veth pairs is asked of the kernel.
 */

import { system } from './system.ts';

export type MediumKind = 'wired' | 'wifi';

/** Below it a shaper loses packets; above, a burst is free bandwidth. */
const LEAST_BURST_BYTES = 3200;
const BURST_SECONDS = 0.005;
/** Longest a packet waits in a shaper. */
const QUEUE = '400ms';
const SUBNET = '10.98.0';
const MOST_STATIONS = 250;

interface Station {
  readonly number: number;
  readonly namespace: string;
}

export interface NetworkOptions {
  readonly medium: MediumKind;
  /** Bytes a shaper lets pass at once, at the least what one packet takes; absent: what passes in 5 ms. */
  readonly burstBytes?: number | undefined;
}

export class EmulatedNetwork {
  readonly #tag: string;
  readonly #medium: MediumKind;
  readonly #burstBytes: number | undefined;
  readonly #stations = new Map<string, Station>();
  readonly #switch: string;

  constructor(tag: string, { medium, burstBytes }: NetworkOptions) {
    this.#tag = tag;
    this.#medium = medium;
    this.#burstBytes = burstBytes;
    this.#switch = `${tag}.switch`;
  }

  start(): void {
    this.#addNamespace(this.#switch);
    this.#ip(this.#switch, 'link add in0 type bridge');
    this.#ip(this.#switch, 'link set in0 up');
    if (this.#medium === 'wired') return;
    this.#ip(this.#switch, 'link add out0 type bridge');
    this.#ip(this.#switch, 'link set out0 up');
    this.#ip(this.#switch, 'link add air type veth peer name ria');
    this.#ip(this.#switch, 'link set air master in0 up');
    this.#ip(this.#switch, 'link set ria master out0 up');
    this.#oneWay('ria');
  }

  /** Makes a device's namespace and connects it; returns its address. */
  attach(name: string): string {
    const number = this.#stations.size + 1;
    if (number > MOST_STATIONS) throw new Error(`more than ${MOST_STATIONS} devices`);
    const station = { number, namespace: `${this.#tag}.${name}` };
    this.#addNamespace(station.namespace);
    this.#plug(station, 'eth0', `in${number}`, 'in0');
    this.#ip(station.namespace, `addr add ${addressOf(station)}/24 dev eth0`);
    if (this.#medium === 'wifi') this.#receiver(station);
    this.#stations.set(name, station);
    return addressOf(station);
  }

  namespaceOf(name: string): string {
    return this.#station(name).namespace;
  }

  addressOf(name: string): string {
    return addressOf(this.#station(name));
  }

  /** Shapes both directions of a device's own cable, in bits per second; undefined takes the limit away. */
  setLink(name: string, bitsPerSecond: number | undefined): void {
    const { number, namespace } = this.#station(name);
    this.#shape(namespace, 'eth0', bitsPerSecond);
    this.#shape(this.#switch, this.#medium === 'wifi' ? `out${number}` : `in${number}`, bitsPerSecond);
  }

  /** Wi-Fi: shapes what all devices share, in bits per second of what arrives. */
  setAir(bitsPerSecond: number | undefined): void {
    this.#shape(this.#switch, 'air', bitsPerSecond);
  }

  /** The shapers of a device, of its sending and of its receiving end, as the kernel lists them. */
  shapersOf(name: string): string[] {
    const { number, namespace } = this.#station(name);
    const receiving = this.#medium === 'wifi' ? 'air' : `in${number}`;
    return [
      system('tc', '-n', namespace, 'qdisc', 'show', 'dev', 'eth0'),
      system('tc', '-n', this.#switch, 'qdisc', 'show', 'dev', receiving),
    ];
  }

  stop(): void {
    this.#stations.clear();
    removeNamespaces((name) => name.startsWith(`${this.#tag}.`));
  }

  /** The end at which a device on Wi-Fi hears: it has the address that the others send to, and says nothing. */
  #receiver(station: Station): void {
    const { number, namespace } = station;
    this.#plug(station, 'eth1', `out${number}`, 'out0');
    this.#ip(namespace, `link set eth1 address ${hardwareAddress(number)} arp off`);
    this.#ip(namespace, 'link set eth0 arp off');
    this.#oneWay(`in${number}`);
    system(
      'bridge',
      '-n',
      this.#switch,
      'fdb',
      'add',
      hardwareAddress(number),
      'dev',
      `out${number}`,
      'master',
      'static',
    );
    // What is received at one end and sent at the other must not look forged.
    for (const which of ['all', 'eth0', 'eth1'])
      inNamespace(namespace, 'sh', '-c', `echo 0 > /proc/sys/net/ipv4/conf/${which}/rp_filter`);
    for (const other of this.#stations.values()) {
      know(namespace, other);
      know(other.namespace, station);
    }
  }

  /** A cable from a device into a bridge. */
  #plug({ namespace }: Station, inside: string, port: string, bridge: string): void {
    this.#ip(this.#switch, `link add ${port} type veth peer name ${inside} netns ${namespace}`);
    this.#ip(this.#switch, `link set ${port} master ${bridge} up`);
    this.#ip(namespace, `link set ${inside} addrgenmode none up`);
  }

  /** Nothing leaves through a port that it was not told of. */
  #oneWay(port: string): void {
    const off = ['flood', 'mcast_flood', 'bcast_flood', 'learning'].flatMap((what) => [what, 'off']);
    system('bridge', '-n', this.#switch, 'link', 'set', 'dev', port, ...off);
  }

  #addNamespace(name: string): void {
    system('ip', 'netns', 'add', name);
    this.#ip(name, 'link set lo up');
  }

  #shape(namespace: string, port: string, bitsPerSecond: number | undefined): void {
    shape(namespace, port, bitsPerSecond, this.#burstBytes);
  }

  #ip(namespace: string, text: string): void {
    system('ip', '-n', namespace, ...text.split(' '));
  }

  #station(name: string): Station {
    const station = this.#stations.get(name);
    if (station === undefined) throw new Error(`there is no device ${name}`);
    return station;
  }
}

/** Deletes the namespaces whose names are chosen; processes in them keep theirs until they end. */
export function removeNamespaces(chosen: (name: string) => boolean): void {
  for (const line of system('ip', 'netns', 'list').split('\n')) {
    const [name = ''] = line.split(' ');
    if (name !== '' && chosen(name)) system('ip', 'netns', 'delete', name);
  }
}

function inNamespace(namespace: string, ...command: readonly [string, ...string[]]): void {
  system('nsenter', `--net=/run/netns/${namespace}`, ...command);
}

function addressOf({ number }: Station): string {
  return `${SUBNET}.${number}`;
}

function hardwareAddress(number: number): string {
  return `02:00:00:00:00:${number.toString(16).padStart(2, '0')}`;
}

/** Tells a device where another one hears: nobody asks on Wi-Fi. */
function know(namespace: string, other: Station): void {
  const { number } = other;
  system(
    'ip',
    '-n',
    namespace,
    'neigh',
    'replace',
    addressOf(other),
    'lladdr',
    hardwareAddress(number),
    'dev',
    'eth0',
    'nud',
    'permanent',
  );
}

function shape(
  namespace: string,
  port: string,
  bitsPerSecond: number | undefined,
  burstBytes: number | undefined,
): void {
  const place = ['-n', namespace, 'qdisc'];
  const shaped = system('tc', ...place, 'show', 'dev', port).includes('tbf');
  if (bitsPerSecond === undefined) {
    if (shaped) system('tc', ...place, 'delete', 'dev', port, 'root');
    return;
  }
  const usual = burstBytes ?? Math.round((bitsPerSecond / 8) * BURST_SECONDS);
  const burst = Math.max(LEAST_BURST_BYTES, usual);
  const rate = `${Math.round(bitsPerSecond)}bit`;
  const shaper = ['tbf', 'rate', rate, 'burst', String(burst), 'latency', QUEUE];
  system('tc', ...place, 'replace', 'dev', port, 'root', ...shaper);
}
