/** What a simulation is asked, and what it answers. All times in milliseconds of simulated time. */

/** A camera that sends by the clock, whether the plan keeps up or not. */
export interface SimulatedSource {
  readonly periodMs: number;
  /**
   * With static binding, the only devices that work for it (DeepThings' work sharing): its parts go to them by turns,
   * and it has a queue of its own, and its devices' share of the credit. With late binding it says nothing: every
   * device works for every source.
   */
  readonly devices?: readonly string[];
}

export interface SimulateOptions {
  /** Frames offered in all, over all sources: at least eight times those in flight, for a steady state to be seen. */
  readonly frames: number;
  /** Frames under way at once; a frame starts when one ends. */
  readonly inFlight: number;
  /** A frame arrives this often; absent, and without sources: one is always waiting. */
  readonly periodMs?: number;
  /** Several cameras, each with its own rate; instead of `periodMs`. Their first frames are spread over their periods. */
  readonly sources?: readonly SimulatedSource[];
  /** Frames kept waiting; beyond it the oldest is dropped. Default 16, as the splitter's. */
  readonly maxWaiting?: number;
  /**
   * `late`: an idle device takes the oldest pending part it may run (work stealing). `static`: a part's first device
   * runs it; a block in one piece with several devices (whole-frame replicas) goes round them, frame by frame.
   */
  readonly binding: 'late' | 'static';
  /**
   * Tasks a device that says nothing of it takes at once from the splitter, and as many from the merger: one computed,
   * the others received meanwhile. Default 2, as the worker's.
   */
  readonly slots?: number;
  /** Compute times vary uniformly by this share to either side, from `seed`. Default 0. */
  readonly jitter?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Keep every interval, for drawing: several events per task. */
  readonly timeline?: boolean;
}

/** One interval in which a resource worked for a task. */
export interface TimelineEvent {
  /** Key of `Simulation.utilisation`. */
  readonly resource: string;
  /** Device that runs the task. */
  readonly device: string;
  readonly kind: 'compute' | 'transfer' | 'message';
  readonly from: number;
  readonly to: number;
  /** Running number of the frame, from 0 in order of start. */
  readonly frame: number;
  readonly block: number;
  readonly part: number;
}

export interface Quantiles {
  readonly median: number;
  readonly p90: number;
  readonly max: number;
}

/** What became of one source's frames. */
export interface SourceSummary {
  readonly finished: number;
  readonly dropped: number;
  readonly latency: Quantiles;
}

export interface Simulation {
  readonly finished: number;
  /** Frames that made room for newer ones before they started. */
  readonly dropped: number;
  /** From the first frame's arrival to the last one's end. */
  readonly elapsedMs: number;
  /** In the steady state: the first frames and those that run when no more come are cut off, where there are enough. */
  readonly framesPerSecond: number;
  /** From arrival (without a clock: from the start) to the gathered output, in the steady state. */
  readonly latency: Quantiles;
  /**
   * Share of the steady state a resource was busy. Keys: ids of devices; `hub`, its processor, the work of a device
   * on it included; a half-duplex medium by its name, a full-duplex one as `<name> in` and `<name> out`, seen from
   * the machine on it. Resources that were never busy are absent.
   */
  readonly utilisation: Readonly<Record<string, number>>;
  /** The busiest of them; a device on the hub rather than `hub` where it makes up most of its work. */
  readonly bottleneck: string;
  /** Over links, hub to device and back, each byte once however many hops it takes. */
  readonly bytesPerFrame: number;
  /** By source, where `sources` were given. */
  readonly sources?: readonly SourceSummary[];
  readonly timeline?: readonly TimelineEvent[];
}
