import type { Prng } from "../base/prng.js";
import type { SimNaming } from "./cluster/naming.js";
import type { Network } from "./cluster/network.js";
import type { SimNode } from "./cluster/node.js";
import type { Downfall } from "./cluster/node-parts.js";
import { FAULT_KINDS, type FaultKind, type Plan } from "./plan.js";
import type { VirtualTime } from "./cluster/virtual-time.js";
import { farthest } from "./topology.js";

/** The cluster, as faults see it. */
export interface FaultTargets {
  readonly plan: Plan;
  readonly random: Prng;
  readonly time: VirtualTime;
  readonly network: Network;
  readonly naming: SimNaming;
  readonly nodes: readonly SimNode[];
  readonly happened: (what: string) => void;
  /** A node went down in that way; its disk is as it will be found. */
  readonly crashed: (node: SimNode, how: Downfall) => void;
  /** A node was removed by force. */
  readonly removed: (node: SimNode) => void;
}

/** Does things to a cluster until it is told to stop; then mends everything. */
export class Faults {
  readonly #at: FaultTargets;
  #isOver = false;

  constructor(targets: FaultTargets) {
    this.#at = targets;
    this.#later();
  }

  /** Mends everything; from now on nothing goes wrong. */
  stop(): void {
    this.#isOver = true;
    const { network, nodes, naming, plan } = this.#at;
    const { backlogBytesMax } = plan.network;
    const calm = { lossRate: 0, duplicateRate: 0, reorderRate: 0, backlogBytesMax };
    network.plan = { ...network.plan, ...calm };
    network.mendAll();
    naming.lateMs = 20;
    for (const node of nodes) {
      node.disk.isFull = false;
      node.disk.syncMs = 1;
      if (!node.isUp) node.start();
    }
    naming.publish();
  }

  /** Does one fault of that kind to whom it may happen now. */
  strike(kind: FaultKind, node: SimNode): void {
    const { nodes, random, network, happened } = this.#at;
    const others = nodes.filter((other) => other !== node);
    const other = random.pick(others);
    switch (kind) {
      case "partition":
        this.#cut([node.index], [other.index], true);
        break;
      case "oneWay":
        this.#cut([node.index], [other.index], false);
        break;
      case "isolate":
        this.#cut(
          [node.index],
          others.map(({ index }) => index),
          true,
        );
        break;
      case "linkBreak":
        network.breakLink(node.index, other.index);
        break;
      case "crash":
        this.#crash(node, "process");
        break;
      case "powerCut":
        this.#crash(node, "power");
        break;
      case "cleanRestart":
        this.#stopCleanly(node);
        break;
      case "diskLoss":
        if (!this.#isSpare(node)) return;
        this.#crash(node, "disk");
        break;
      default:
        if (!this.#strikeOther(kind, node)) return;
    }
    happened(`fault.${kind}`);
  }

  /** True if something was done. */
  #strikeOther(kind: FaultKind, node: SimNode): boolean {
    const { naming, random, network, removed } = this.#at;
    const { disk, clock } = node;
    switch (kind) {
      case "remove":
        if (!this.#isSpare(node)) return false;
        naming.remove(node.name);
        removed(node);
        return true;
      case "leave":
        // It leaves some time later, and who is at the end of a chain now may be in the middle then.
        if (this.#at.plan.links === "chain") return false;
        if (!this.#isSpare(node) || !node.isServing) return false;
        void node.leave(300 + random.next() * 600);
        return true;
      case "join":
        if (naming.memberOf(node.name) !== undefined || !node.isUp) return false;
        if (!this.#areLinked((other) => other === node || this.#isMember(other))) return false;
        naming.join(node.name);
        return true;
      case "slowDisk":
        disk.syncMs = 20 + random.next() * 200;
        this.#undo(() => {
          disk.syncMs = 1;
        });
        return true;
      case "fullDisk":
        disk.isFull = true;
        this.#undo(() => {
          disk.isFull = false;
        });
        return true;
      case "clockJump":
        clock.skewMs = Math.floor((random.next() - 0.5) * 2 * this.#at.plan.skewMaxMs);
        return this.#at.plan.skewMaxMs > 0;
      default: {
        const { backlogBytesMax } = this.#at.plan.network;
        network.plan = { ...network.plan, backlogBytesMax: 100 };
        this.#undo(() => {
          network.plan = { ...network.plan, backlogBytesMax };
        });
        return true;
      }
    }
  }

  #later(): void {
    const { time, random, plan, nodes } = this.#at;
    time.after(plan.faultEveryMs * 2 * random.next(), () => {
      if (this.#isOver) return;
      this.strike(this.#drawKind(), random.pick(nodes));
      this.#later();
    });
  }

  #drawKind(): FaultKind {
    const { plan, random } = this.#at;
    let sum = 0;
    for (const kind of FAULT_KINDS) sum += plan.faults[kind];
    let left = random.next() * sum;
    for (const kind of FAULT_KINDS) {
      left -= plan.faults[kind];
      if (left < 0) return kind;
    }
    return "linkBreak";
  }

  #cut(from: readonly number[], to: readonly number[], isBothWays: boolean): void {
    const { network } = this.#at;
    const each = (visit: (left: number, right: number) => void): void => {
      for (const left of from) {
        for (const right of to) {
          visit(left, right);
          if (isBothWays) visit(right, left);
        }
      }
    };
    each((left, right) => network.cut(left, right));
    this.#undo(() => each((left, right) => network.mend(left, right)));
  }

  #crash(node: SimNode, how: Downfall): void {
    if (!node.isUp) return;
    node.crash(how);
    this.#at.crashed(node, how);
    this.#undo(() => {
      if (!node.isUp) node.start();
    });
  }

  /** Stops it as an operator does: what was acknowledged is synced before. */
  #stopCleanly(node: SimNode): void {
    const { keygroup } = node;
    if (!node.isUp || !keygroup) return;
    this.#crash(node, "stop");
  }

  #undo(work: () => void): void {
    const { time, random } = this.#at;
    const delayMs = 30 + random.next() * (random.next() < 0.3 ? 900 : 200);
    time.after(delayMs, () => {
      if (!this.#isOver) work();
    });
  }

  #isMember(node: SimNode): boolean {
    return this.#at.naming.memberOf(node.name) !== undefined;
  }

  /** True if those nodes reach each other by way of each other. */
  #areLinked(isMeant: (node: SimNode) => boolean): boolean {
    const indexes = this.#at.nodes.filter(isMeant).map(({ index }) => index);
    return farthest(this.#at.plan.links, indexes[0] ?? 0, indexes) < Infinity;
  }

  /**
   * True when the keygroup survives without that node: another member serves and is not about to leave,
   * and three are left.
   */
  #isSpare(node: SimNode): boolean {
    const { naming, nodes } = this.#at;
    if (!this.#isMember(node) || naming.record.members.length < 3) return false;
    if (!this.#areLinked((other) => other !== node && this.#isMember(other))) return false;
    return nodes.some(
      (other) =>
        other !== node && !other.isLeaving && other.isCurrentMember(naming.memberOf(other.name)),
    );
  }
}
