/** The services of a hub in one process: merger, splitter and controller, all at one broker. */

import type { ControllerOptions, ControllerPart } from '../services/controller/part.ts';
import { roomyHeap } from '../services/core/bus/roomy-heap.ts';
import type { Service } from '../services/core/runtime/service.ts';
import { controllerService, mergerService, type Place, splitterService } from './services.ts';

export class HubServices {
  readonly #place: Place;
  readonly #options: ControllerOptions;
  /** The last started first. */
  #services: Service[] = [];
  #part: ControllerPart | undefined;

  constructor(place: Place, options: ControllerOptions) {
    this.#place = place;
    this.#options = options;
  }

  /** The controller's part, once it has started. */
  get part(): ControllerPart {
    if (this.#part === undefined) throw new Error("the hub's services have not started");
    return this.#part;
  }

  /** The broker is there already. */
  async start(): Promise<void> {
    roomyHeap();
    const place = this.#place;
    const { service, part } = controllerService({ id: 'controller', place }, this.#options);
    const services = [
      service,
      mergerService({ id: 'merger', place }),
      splitterService({ id: 'splitter', place }),
    ];
    for (const each of services) {
      await each.start();
      this.#services.unshift(each);
    }
    this.#part = part;
  }

  /** The splitter goes first, for its last frames need all the others. */
  async stop(): Promise<void> {
    for (const service of this.#services) await service.stop();
    this.#services = [];
  }
}
