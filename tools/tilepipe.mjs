#!/usr/bin/env node
// The command's entry. In a checkout it first makes sure that dist/ is not older than the sources,
// because npm's own hooks are silenced by .npmrc; in an installed package dist/ is simply there.
import { build } from './build.mjs';

await build();
const { main } = await import('../dist/tools/cli.js');
await main(process.argv);
