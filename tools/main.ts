/** The built entry: what processes started by a running command use, which needs no look at the sources first. */

import { endWithParent } from './child-service.ts';
import { main } from './cli.ts';

endWithParent();
await main(process.argv);
// The channel to the parent must not keep a command alive that is over: one that could not start, for one.
process.channel?.unref();
