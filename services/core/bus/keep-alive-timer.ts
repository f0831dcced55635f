/**
 * The clock of MQTT.js's keep-alive, for slow links: an answer to a ping waits behind the tiles that are on their way
 * here, for half a minute at 500 kbit/s, and the library would take the broker for dead while it hears from it.
 */

/** After half the keep-alive nothing, after the whole of it the ping, then the verdict. */
const VERDICT = 3;

export interface KeepAliveTimer {
  set(tick: () => void, everyMs: number): number;
  clear(timer: number): void;
}

/**
 * `bytesRead` counts what the connection has received. A verdict waits while that still grows; meanwhile the broker hears
 * of this client by further pings, as often as before.
 */
export function keepAliveTimer(bytesRead: () => number, ping: () => void): KeepAliveTimer {
  return {
    set(tick, everyMs) {
      let ticks = 0;
      let seen = bytesRead();
      const timer = setInterval(() => {
        const now = bytesRead();
        const alive = now !== seen;
        seen = now;
        ticks++;
        if (ticks < VERDICT || !alive) tick();
        else if (ticks % 2 === 0) ping();
      }, everyMs);
      // The library keeps it as a number.
      return Number(timer);
    },
    clear: (timer) => clearInterval(timer),
  };
}
