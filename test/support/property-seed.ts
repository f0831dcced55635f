/** `TILEPIPE_PROPERTY_SEED` makes every property test try the same cases again; without it each run tries new ones. */

import fc from 'fast-check';

const { TILEPIPE_PROPERTY_SEED: seed } = process.env;
if (seed) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
