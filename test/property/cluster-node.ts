import type { Dot } from "../../src/core/dot.js";
import type { Policy } from "../../src/core/live-set.js";
import { OutgoingHeartbeats, type HeartbeatChange } from "../../src/core/heartbeat-changes.js";
import { Relay } from "../../src/core/relay.js";
import { Replica } from "../../src/core/replica.js";
import type { RowWrite } from "../../src/core/rows.js";
import { RowStore } from "../helpers/row-store.js";
import type { NamedRecord } from "./registry.js";

/** How the nodes of a cluster keep their replicas. */
export interface NodeTerms {
  readonly policy: Policy;
  readonly wallMs: () => number;
}

/** The third node may stage little, so that it has to join afresh now and then. */
const STAGED_BYTES_MAX = [100_000, 100_000, 260, 100_000];

/** One node: a store, what a power cut leaves of it, and the replica if it is a member. */
export class ClusterNode {
  readonly index: number;
  readonly #terms: NodeTerms;
  /** The policy under which it writes and reads now. */
  policy: Policy;
  #store = new RowStore();
  #synced = new RowStore();
  #replica: Replica | undefined;
  /** What it has heard of others since it was opened. */
  #relay: Relay | undefined;
  /** The last record it knows. With an empty disk it knows its own join. */
  #known: NamedRecord | undefined;
  /** A catch-up was too large: it writes no more until it has joined afresh. */
  isLeaving = false;
  /** Dots read at some time, for writes with an old read context. */
  readonly contexts = new Map<string, Dot[]>();

  constructor(index: number, terms: NodeTerms) {
    this.index = index;
    this.#terms = terms;
    this.policy = terms.policy;
  }

  get store(): RowStore {
    return this.#store;
  }

  get replica(): Replica | undefined {
    return this.#replica;
  }

  /** Whether a node is a member of the record that this one acts under: only then is it told anything. */
  knows(node: number): boolean {
    return [...(this.#known?.nodes.values() ?? [])].includes(node);
  }

  get relay(): Relay | undefined {
    return this.#relay;
  }

  /** What it tells another node: where it stands, and what it has heard of all others. */
  heartbeat(to: number): HeartbeatChange | undefined {
    const { replica, relay } = this;
    const nodes = [...(this.#known?.nodes ?? [])];
    const receiver = nodes.find(([, node]) => node === to)?.[0];
    if (!replica || !relay || receiver === undefined) return undefined;
    const wants = nodes.map(([member]) => member).sort((left, right) => left - right);
    const relayed = relay.tell({ member: receiver, wants, echoAt: () => 0 });
    const shown = { standing: replica.standing(), hlc: replica.hlc };
    const heartbeat = { ...shown, stamp: 1, echo: 0, wants: [], relayed };
    return new OutgoingHeartbeats().next(heartbeat, false);
  }

  get knownEpoch(): number {
    return this.#known?.epoch ?? 0;
  }

  /** The replica, if it serves. */
  get serving(): Replica | undefined {
    return this.#replica?.identity.isServing ? this.#replica : undefined;
  }

  /** The member that it is. */
  get member(): number {
    return this.#replica?.identity.epoch ?? 0;
  }

  /** Begins with an empty disk, as the member of that record. */
  found(record: NamedRecord, epoch: number, isServing: boolean): void {
    this.#store = new RowStore();
    const founding = { generation: 1, epoch, record, isServing };
    this.#open({ resumes: true, founding });
    this.#known = record;
  }

  /** Joins afresh under a new name, on the disk that it has. */
  rejoin(record: NamedRecord): void {
    const founding = { generation: 1, epoch: record.epoch, record, isServing: false };
    this.#store.apply(Replica.rejoin(this.#store, founding));
    this.#synced = this.#store.clone();
    this.#open({ resumes: true });
    this.isLeaving = false;
    this.#known = record;
  }

  /** Drops everything: it was removed. */
  dropReplica(): void {
    this.#replica = undefined;
    this.#relay = undefined;
    this.#store = new RowStore();
    this.isLeaving = false;
  }

  /** Stores a record before it acts under it. */
  adopt(record: NamedRecord): void {
    this.#known = record;
    if (!this.#replica) return;
    this.put(this.#replica.adopt(record));
    this.#relay?.adopt(record);
    this.#synced = this.#store.clone();
  }

  /** Stores rows as one transaction. */
  put(writes: Iterable<RowWrite>): void {
    this.#store.apply(writes);
    if (this.#replica) this.#store.apply(this.#replica.sealWrites());
  }

  sync(): void {
    this.#synced = this.#store.clone();
    this.#replica?.durable(this.#replica.vector.clone());
  }

  /** The process dies, or the power is cut: then everything since the last sync is gone. */
  crash(isPowerCut: boolean, resumes: boolean): void {
    if (!this.#replica) return;
    if (isPowerCut) this.#store = this.#synced.clone();
    this.#open({ resumes });
  }

  /** A transaction has failed: nothing of it is stored, and the object is worthless. */
  abort(): void {
    if (this.#replica) this.#open({ resumes: true, hlc: this.#replica.hlc });
  }

  /** Learns that the keygroup has another policy. */
  changePolicy(policy: Policy): void {
    this.policy = policy;
    this.abort();
  }

  #open(how: { resumes: boolean; hlc?: number; founding?: Parameters<typeof Replica.rejoin>[1] }) {
    const { policy } = this;
    const { wallMs } = this.#terms;
    const stagedBytesMax = STAGED_BYTES_MAX[this.index] as number;
    const opened = Replica.open(this.#store, { wallMs: wallMs(), policy, stagedBytesMax, ...how });
    this.#replica = opened.replica;
    this.#relay = new Relay(opened.replica.record);
    this.contexts.clear();
    this.#store.apply(opened.writes);
    if (opened.writes.length > 0 || how.founding) this.#synced = this.#store.clone();
    if (how.founding) this.isLeaving = false;
  }
}
