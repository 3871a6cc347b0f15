import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { Timers } from "../../ports/timers.js";
import type { Keygroup } from "../keygroup.js";
import { KeygroupRoute } from "./route.js";

/** What routes are decided by. */
export interface RoutesOptions {
  /** The keygroup, if its replica here serves now. */
  readonly serving: (name: KeygroupName) => Keygroup | undefined;
  /** The data are on their way here and are served where they were, as long as that can be reached. */
  readonly isArriving: (name: KeygroupName) => boolean;
  /** Resolves once the replica here shows everything that the one there shows now. */
  readonly catchUpWith: (name: KeygroupName, node: NodeName) => Promise<void>;
  /** Operations take place elsewhere than before: here, or at another node. */
  readonly turned: (name: KeygroupName, isHere: boolean) => void;
  readonly timers: Timers;
}

/** Where the functions of this node find the data of each keygroup. */
export class Routes {
  readonly #options: RoutesOptions;
  readonly #routes = new Map<KeygroupName, KeygroupRoute>();

  constructor(options: RoutesOptions) {
    this.#options = options;
  }

  of(name: KeygroupName): KeygroupRoute {
    const known = this.#routes.get(name);
    if (known) return known;
    const { serving, isArriving, catchUpWith, turned, timers } = this.#options;
    const route = new KeygroupRoute({
      serving: () => serving(name),
      isArriving: () => isArriving(name),
      catchUpWith: (node) => catchUpWith(name, node),
      turned: (isHere) => turned(name, isHere),
      timers,
    });
    this.#routes.set(name, route);
    route.look();
    return route;
  }
}
