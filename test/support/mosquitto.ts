/** A real Mosquitto on a free port, for tests. Where it is not installed they are skipped, loudly. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

const BINARY = ['mosquitto', '/usr/sbin/mosquitto'].find((path) => !spawnSync(path, ['-h']).error);
if (BINARY === undefined) {
  process.stderr.write(
    'SKIPPED: mosquitto is not installed (apt-get install mosquitto); its tests did not run\n',
  );
}

export const mosquittoInstalled = BINARY !== undefined;

export interface MosquittoOptions {
  /** Lines added to the configuration; `{dir}` stands for its folder. */
  readonly config?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly users?: Readonly<Record<string, string>>;
  /** Listens with TLS by server.crt and server.key among `files`. */
  readonly tls?: boolean;
}

export class Mosquitto {
  readonly port: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  static async start(options: MosquittoOptions = {}): Promise<Mosquitto> {
    const broker = new Mosquitto(await freePort(), mkdtempSync(join(tmpdir(), 'mosquitto-')));
    broker.#configure(options);
    await broker.resume();
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  /** Starts the process (again) on the same port, and waits until it answers. */
  async resume(): Promise<void> {
    const child = spawn(BINARY as string, ['-c', join(this.#folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    child.stderr?.on('data', (chunk) => {
      log += chunk;
    });
    this.#process = child;
    while (!(await answers(this.port))) {
      if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}: ${log}`);
    }
  }

  /** Ends the process, keeping the configuration. */
  async pause(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  async stop(): Promise<void> {
    await this.pause();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #configure({ config = [], files = {}, users, tls = false }: MosquittoOptions): void {
    const path = (name: string) => join(this.#folder, name);
    for (const [name, text] of Object.entries(files)) writeFileSync(path(name), text);
    const lines = [
      'per_listener_settings false',
      `listener ${this.port} 127.0.0.1`,
      'set_tcp_nodelay true',
      'max_queued_bytes 67108864',
      `allow_anonymous ${users === undefined}`,
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      ...(tls ? [`certfile ${path('server.crt')}`, `keyfile ${path('server.key')}`] : []),
      ...config.map((line) => line.replaceAll('{dir}', this.#folder)),
    ];
    if (users) {
      writeFileSync(path('passwords'), '');
      for (const [name, password] of Object.entries(users)) {
        execFileSync('mosquitto_passwd', ['-b', path('passwords'), name, password], { stdio: 'ignore' });
      }
      lines.push(`password_file ${path('passwords')}`);
    }
    writeFileSync(path('mosquitto.conf'), `${lines.join('\n')}\n`);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
