/** Where the executor has a build, and a clear refusal everywhere else. */

import { TilepipeError } from './errors.ts';

export interface Platform {
  /** As `process.arch` says. */
  readonly arch: string;
  /** As `process.platform` says. */
  readonly platform: string;
}

/** What onnxruntime-node carries a library for. */
const BUILDS: Readonly<Record<string, readonly string[]>> = {
  linux: ['x64', 'arm64'],
  darwin: ['arm64'],
  win32: ['x64', 'arm64'],
};

const NAMES: Readonly<Record<string, string>> = {
  arm: '32-bit ARM',
  ia32: '32-bit x86',
  x64: 'x86-64',
  arm64: 'arm64',
  darwin: 'macOS',
  win32: 'Windows',
  linux: 'Linux',
};

/** Throws `platform-unsupported`, naming the platform, where no sub-model could ever run. */
export function checkPlatform({ arch, platform }: Platform = process): void {
  if (BUILDS[platform]?.includes(arch)) return;
  const name = `${NAMES[platform] ?? platform} on ${NAMES[arch] ?? arch}`;
  const hint =
    arch === 'arm' ? ': a Raspberry Pi 3 or later runs the 64-bit Raspberry Pi OS' : ' has no executor build';
  throw new TilepipeError('platform-unsupported', `${name} is not supported${hint}`);
}
