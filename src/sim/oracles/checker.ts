import type { Replica } from "../../core/replica.js";
import type { OpenedReplica } from "../../keygroups/keygroup-options.js";
import type { Network } from "../cluster/network.js";
import type { Downfall } from "../cluster/node-parts.js";
import type { SimNode } from "../cluster/node.js";
import { Bounds } from "./bounds.js";
import { CausalOrder } from "./causal-order.js";
import { Violation, type OracleContext } from "./context.js";
import { Equality } from "./equality.js";
import { GhostLog } from "./ghost-log.js";
import { SessionGuarantees } from "./session-guarantees.js";
import { StalenessBound } from "./staleness-bound.js";
import { VisibleState } from "./visible-state.js";
import { WatchedReplica } from "./watched-replica.js";
import { storedVector, WriteOutcomes } from "./write-outcomes.js";

/**
 * All oracles, and what they see: every step of every replica, and everything that clients are told.
 * The first broken promise ends the run.
 */
export class Checker {
  /** The first broken promise. Whoever calls may catch what is thrown, so it is kept here. */
  violation: Violation | undefined;
  readonly sessions: SessionGuarantees;
  readonly writes: WriteOutcomes;
  readonly equality: Equality;
  readonly ghosts = new GhostLog();
  readonly #at: OracleContext;
  readonly #causality: CausalOrder;
  readonly #state: VisibleState;
  readonly #staleness: StalenessBound;
  readonly #bounds: Bounds;
  readonly #watched = new Map<SimNode, WatchedReplica>();

  constructor(parts: Omit<OracleContext, "ghosts" | "broken">, network: Network) {
    const broken = (what: string): never => {
      this.violation ??= new Violation(what);
      throw this.violation;
    };
    this.#at = { ...parts, ghosts: this.ghosts, broken };
    this.sessions = new SessionGuarantees(this.#at);
    this.writes = new WriteOutcomes(this.#at);
    this.equality = new Equality(this.#at);
    this.#causality = new CausalOrder(this.#at);
    this.#state = new VisibleState(this.#at);
    this.#staleness = new StalenessBound(this.#at);
    this.#bounds = new Bounds(this.#at, network);
  }

  /** A replica object begins: its steps are watched. */
  opened(node: SimNode, { replica }: OpenedReplica): void {
    this.#watched.set(node, new WatchedReplica(replica, this.#at.happened));
  }

  /** A transaction of that node's store has ended. */
  transacted(node: SimNode, isCommitted: boolean): void {
    const watched = this.#watched.get(node);
    if (!watched) return;
    const step = watched.takeStep();
    if (!isCommitted) return;
    for (const commit of step.commits) {
      this.writes.committed(commit);
      this.#causality.committed(node, commit);
    }
    this.#causality.stepped(node, watched, step);
    const { replica } = watched;
    if (replica.identity.isServing) this.#state.stepped(node, replica, step.touched);
  }

  /** A client reads a key of that node's replica and is shown the versions `token`. */
  read(node: SimNode, replica: Replica, key: Uint8Array, token: string | undefined): void {
    this.#state.read(node, replica, key, token);
    this.#bounds.versions(node, replica.read(node.disk.rows, key));
    this.#bounds.outboxes(node);
  }

  /** A client was shown the versions `token` of a key by some replica, a moment ago. */
  readElsewhere(key: Uint8Array, token: string | undefined): void {
    this.#state.readElsewhere(key, token);
  }

  /** Something is wrong that no oracle looks for. */
  fail(error: unknown): void {
    if (error instanceof Violation) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.violation ??= new Violation(`BUG ${text}`);
  }

  /** A client was told how stale a read may be; see {@link StalenessBound}. */
  bounded(node: SimNode, boundMs: number, slackMs?: number): void {
    const watched = this.#watched.get(node);
    if (watched) this.#staleness.told(node, watched, boundMs, slackMs);
  }

  /** A node's store is empty now. */
  wiped(node: SimNode): void {
    this.#watched.delete(node);
    this.writes.reassess();
  }

  /** A node went down; its disk is as it will be found. */
  crashed(node: SimNode, how: Downfall): void {
    const watched = this.#watched.get(node);
    this.#watched.delete(node);
    const { durability } = this.#at.plan.config;
    if (watched && how === "power" && durability === "relaxed") {
      const { members, past } = watched.replica.record;
      if (members.length + past.length === 1) this.sessions.wentBack(storedVector(node.disk.rows));
    }
    if (watched && how === "power" && durability === "strict") {
      const others = [...this.#watched].map(([other, { replica }]) => [other, replica] as const);
      const gone = this.writes.unsynced(node, watched.replica.origin, others);
      for (const ghost of gone) this.sessions.forgotten(ghost);
    }
    this.writes.reassess();
  }

  /** Everything that must hold once the cluster is at rest. */
  final(): void {
    for (const { node: name } of this.#at.naming.record.members) {
      const node = this.#at.nodes.find((one) => one.name === name) as SimNode;
      const replica = node.keygroup?.replica as Replica;
      this.#state.checkAll(node, replica);
      this.writes.checkKept(node, replica);
    }
  }
}
