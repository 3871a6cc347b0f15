// Why so long: replicas, links, crashes and checks share one state, which random steps change in any order.

import { equalBytes } from "../../src/base/bytes.js";
import type { CatchUpChunk, CatchUpCursor, CatchUpRequest } from "../../src/core/catch-up.js";
import { applyDelta, deltaTag, joinStates, type Delta } from "../../src/core/crdt/index.js";
import { formatDot, type Dot } from "../../src/core/dot.js";
import { dotsOf } from "../../src/core/item.js";
import type { Policy } from "../../src/core/live-set.js";
import { Replica } from "../../src/core/replica.js";
import { ROW_PREFIX, type RowPair, type RowWrite } from "../../src/core/rows.js";
import { utf8Bytes } from "../../src/core/text.js";
import type { Mutation, Update } from "../../src/core/update.js";
import { TAG } from "../../src/core/value.js";
import type { Vector } from "../../src/core/vector.js";
import { visibleVersions } from "../../src/core/visible.js";
import { RowStore } from "../helpers/row-store.js";
import { GhostLog } from "./ghost-log.js";

/** What a test may plant: it sees every chunk on its way and may deliver others instead. */
export interface ChunkFault {
  deliver(
    session: Session,
    chunk: CatchUpChunk,
    to: { readonly replica: Replica; readonly store: RowStore },
  ): CatchUpChunk[];
}

/** One catch-up on its way. */
interface Session {
  readonly from: number;
  readonly to: number;
  readonly request: CatchUpRequest;
  /** The sender's vector when it began. */
  readonly start: Vector;
  readonly queue: CatchUpChunk[];
  readonly delivered: CatchUpChunk[];
  cursor: CatchUpCursor | undefined;
  isServed: boolean;
}

interface Member {
  store: RowStore;
  /** What a power cut leaves. */
  synced: RowStore;
  replica: Replica;
  /** Dots read at some time, for writes with an old read context. */
  readonly contexts: Map<string, Dot[]>;
}

/** One random step: what to do, and numbers that say with whom, where and how. */
export type Step = readonly [kind: number, a: number, b: number, c: number, d: number];

const MEMBERS = [1, 2, 3];
const KEYS = ["a", "b", "c"].map((text) => utf8Bytes(text));
const DELTAS: readonly Delta[] = [
  { type: "counter.add", n: 1 },
  { type: "counter.add", n: -3 },
  { type: "set.add", member: "x" },
  { type: "set.add", member: "y" },
  { type: "set.remove", member: "x" },
  { type: "map.set", field: "f", value: 1 },
  { type: "map.add", field: "f", n: 2 },
  { type: "map.remove", field: "f" },
];
const SMALL_CHUNKS = { keysMax: 1, bytesMax: 1 };
const START_MS = 1_800_000_000_000;

/** Three replicas, the messages between them, and the checks after every step. */
class Cluster {
  readonly #policy: Policy;
  readonly #fault: ChunkFault | undefined;
  readonly #ghosts = new GhostLog();
  readonly #members: Member[];
  readonly #updates: { to: number; update: Update }[] = [];
  readonly #sessions: Session[] = [];
  #wallMs = START_MS;

  constructor(policy: Policy, fault?: ChunkFault) {
    this.#policy = policy;
    this.#fault = fault;
    this.#members = MEMBERS.map((epoch) => {
      const store = new RowStore();
      const record = { epoch: 3, members: MEMBERS, past: [] };
      const { replica, writes } = Replica.open(store, {
        wallMs: START_MS,
        policy,
        resumes: true,
        founding: { generation: 1, epoch, record, isServing: true },
      });
      store.apply(writes);
      return { store, synced: store.clone(), replica, contexts: new Map() };
    });
  }

  /** Does one step and checks the member that it touched. */
  step([kind, a, b, c, d]: Step): void {
    const at = a % 3;
    const other = (at + 1 + (b % 2)) % 3;
    if (kind < 34) this.#commit(at, b, c, d);
    else if (kind < 56) this.#deliverUpdate(b, c % 5 === 0);
    else if (kind < 60) this.#updates.splice(b % (this.#updates.length || 1), 1);
    else if (kind < 64) this.#crash(at, b);
    else if (kind < 66) this.#abort(at, b, c, d);
    else if (kind < 72) this.#beginCatchUp(at, other);
    else if (kind < 79) this.#serve(b);
    else if (kind < 87) this.#deliverChunk(b);
    else if (kind < 88) this.#breakOff(this.#sessions[b % (this.#sessions.length || 1)]);
    else if (kind < 91) this.#wallMs += 1 + (b % 40);
    else if (kind < 94) this.#sync(at);
    else if (kind < 97) this.#heartbeat(at, other);
    else this.#collect(at, 1 + (b % 3));
    this.#check(at);
  }

  /** Heals everything and requires that the members end equal, with no garbage left. */
  settle(): void {
    this.#updates.length = 0;
    while (this.#sessions.length > 0) this.#breakOff(this.#sessions[0]);
    this.#wallMs += 1000;
    for (let round = 0; round < 3; round++) {
      for (const to of [0, 1, 2])
        for (const from of [0, 1, 2]) if (from !== to) this.#pull(to, from);
    }
    this.#requireEqualVectors();
    for (let round = 0; round < 6; round++) {
      for (const at of [0, 1, 2]) this.#sync(at);
      for (const at of [0, 1, 2])
        for (const to of [0, 1, 2]) if (at !== to) this.#heartbeat(at, to);
      for (const at of [0, 1, 2]) this.#collect(at, 1000);
      for (const at of [0, 1, 2]) this.#check(at);
    }
    this.#requireEqualRows();
  }

  #member(at: number): Member {
    return this.#members[at] as Member;
  }

  #commit(at: number, b: number, c: number, d: number): void {
    const member = this.#member(at);
    const past = member.replica.vector.clone();
    const effects = member.replica.commit(member.store, this.#mutations(member, b, c, d), {
      wallMs: this.#wallMs + (at - 1) * 7,
    });
    this.#ghosts.add(effects.update, past);
    this.#store(member, effects.writes);
    for (const to of [0, 1, 2]) if (to !== at) this.#updates.push({ to, update: effects.update });
  }

  #mutations(member: Member, b: number, c: number, d: number): Mutation[] {
    const count = b % 4 === 0 ? 2 : 1;
    return Array.from({ length: count }, (_, i) => {
      const key = KEYS[(b + i) % KEYS.length] as Uint8Array;
      return this.#mutation(member, key, c + i * 5, d);
    });
  }

  #mutation(member: Member, key: Uint8Array, c: number, d: number): Mutation {
    const { replica, store, contexts } = member;
    const live = replica.read(store, key);
    const visible = visibleVersions(this.#policy, live, replica.nowMs(this.#wallMs));
    const old = contexts.get(key.join()) ?? [];
    if (d % 3 === 0) contexts.set(key.join(), dotsOf(visible));
    const expiresAtMs = d % 5 === 0 ? this.#wallMs + (d % 60) : 0;
    if (c % 3 === 0) {
      const delta = DELTAS[c % DELTAS.length] as Delta;
      const at = { dot: replica.nextDot(), hlc: replica.nextHlc(this.#wallMs + 7) };
      const value = applyDelta(joinStates(deltaTag(delta), visible), delta, at);
      return { key, value, expiresAtMs, replaces: dotsOf(live) };
    }
    const value = c % 5 === 0 ? undefined : { tag: TAG.str, bytes: utf8Bytes(`v${c}`) };
    const replaces = c % 7 === 0 ? old : c % 7 === 1 ? dotsOf(visible) : "all";
    return { key, value, expiresAtMs, replaces };
  }

  /** A transaction that fails: nothing of it is stored, sent or remembered. */
  #abort(at: number, b: number, c: number, d: number): void {
    const member = this.#member(at);
    member.replica.commit(member.store, this.#mutations(member, b, c, d), { wallMs: this.#wallMs });
    this.#reopen(member, true, member.replica.hlc);
  }

  /** Every other time one of the oldest messages, so that many arrive in order. */
  #deliverUpdate(b: number, isDuplicated: boolean): void {
    const among = b % 2 === 0 ? Math.min(4, this.#updates.length) : this.#updates.length;
    const at = (b >>> 1) % (among || 1);
    const message = this.#updates[at];
    if (!message) return;
    if (!isDuplicated) this.#updates.splice(at, 1);
    const member = this.#member(message.to);
    this.#store(member, member.replica.receive(member.store, message.update).writes);
    this.#check(message.to);
  }

  /** The process dies, or the power is cut: then everything since the last sync is gone. */
  #crash(at: number, b: number): void {
    const member = this.#member(at);
    const isPowerCut = b % 3 === 0;
    if (isPowerCut) member.store = member.synced.clone();
    const broken = this.#sessions.filter(({ from, to }) => from === at || to === at);
    for (const session of broken) this.#breakOff(session);
    if (b % 2 === 0) {
      const lost = this.#updates.filter(({ update }) => update.dot.epoch === MEMBERS[at]);
      for (const message of lost) this.#updates.splice(this.#updates.indexOf(message), 1);
    }
    this.#reopen(member, !isPowerCut && b % 3 === 1);
  }

  #reopen(member: Member, resumes: boolean, hlc?: number): void {
    const { replica, writes } = Replica.open(member.store, {
      wallMs: this.#wallMs,
      policy: this.#policy,
      resumes,
      ...(hlc !== undefined && { hlc }),
    });
    member.replica = replica;
    member.contexts.clear();
    member.store.apply(writes);
    if (writes.length > 0) member.synced = member.store.clone();
  }

  #beginCatchUp(to: number, from: number): Session {
    const { replica, store } = this.#member(to);
    const session: Session = {
      from,
      to,
      request: replica.catchUpRequest(store, MEMBERS[from] as number),
      start: this.#member(from).replica.vector.clone(),
      queue: [],
      delivered: [],
      cursor: undefined,
      isServed: false,
    };
    this.#sessions.push(session);
    return session;
  }

  #breakOff(session: Session | undefined): void {
    if (!session) return;
    this.#sessions.splice(this.#sessions.indexOf(session), 1);
    this.#member(session.to).replica.cancelCatchUp(session.request.id);
  }

  #serve(b: number): void {
    const session = this.#sessions[b % (this.#sessions.length || 1)];
    if (!session || session.isServed) return;
    const { replica, store } = this.#member(session.from);
    const answer = replica.serveCatchUp(store, session.request, session.cursor, SMALL_CHUNKS);
    if (answer.type !== "chunk") {
      const receiver = this.#member(session.to).replica;
      const isLost = answer.type === "refused" || receiver.mustRejoin(answer.floor);
      if (isLost) throw new Error(`REFUSED ${answer.type}`);
      this.#breakOff(session);
      return;
    }
    session.queue.push(answer.chunk);
    session.cursor = answer.cursor;
    session.isServed = answer.cursor === undefined;
  }

  #deliverChunk(b: number): void {
    const session = this.#sessions[b % (this.#sessions.length || 1)];
    const chunk = session?.queue.shift();
    if (!session || !chunk) return;
    session.delivered.push(chunk);
    const member = this.#member(session.to);
    const chunks = this.#fault?.deliver(session, chunk, member) ?? [chunk];
    for (const each of chunks) {
      this.#store(member, member.replica.receiveChunk(member.store, each).writes);
      this.#store(member, member.replica.receiveHeld(member.store).writes);
    }
    if (chunk.end) this.#sessions.splice(this.#sessions.indexOf(session), 1);
    this.#check(session.to);
  }

  #pull(to: number, from: number): void {
    const session = this.#beginCatchUp(to, from);
    while (this.#sessions.includes(session)) {
      const at = this.#sessions.indexOf(session);
      this.#serve(at);
      if (this.#sessions.includes(session)) this.#deliverChunk(at);
    }
  }

  #sync(at: number): void {
    const member = this.#member(at);
    member.synced = member.store.clone();
    member.replica.durable(member.replica.vector.clone());
  }

  #heartbeat(from: number, to: number): void {
    const sender = this.#member(from).replica;
    const receiver = this.#member(to);
    receiver.replica.observe(sender.hlc);
    receiver.replica.acknowledge(MEMBERS[from] as number, 3, sender.durableVector.clone());
    this.#store(receiver, []);
  }

  #collect(at: number, limit: number): void {
    const member = this.#member(at);
    this.#store(member, member.replica.collect(member.store, { limit, wallMs: this.#wallMs }));
  }

  #store(member: Member, writes: Iterable<RowWrite>): void {
    member.store.apply(writes);
    member.store.apply(member.replica.sealWrites());
  }

  #check(at: number): void {
    const { replica, store } = this.#member(at);
    this.#ghosts.checkCausality(replica.vector);
    const nowMs = replica.nowMs(this.#wallMs);
    for (const key of KEYS) {
      const have = visibleVersions(this.#policy, replica.read(store, key), nowMs);
      const want = this.#ghosts.visible(this.#policy, replica.vector, key, nowMs);
      const [haveDots, wantDots] = [have, want].map((list) =>
        dotsOf(list).map(formatDot).join(" "),
      );
      if (haveDots !== wantDots) {
        throw new Error(`STATE member ${at} shows [${haveDots}], not [${wantDots}]`);
      }
      have.forEach((version, i) => {
        const isSame = equalBytes(version.value.bytes, want[i]?.value.bytes ?? utf8Bytes(""));
        if (!isSame) throw new Error(`VALUE of ${formatDot(version.dot)} differs`);
      });
    }
  }

  #requireEqualVectors(): void {
    const texts = this.#members.map(({ replica }) =>
      replica.vector.entries().map(formatDot).join(),
    );
    if (new Set(texts).size !== 1) throw new Error(`VECTORS ${texts.join(" | ")}`);
  }

  #requireEqualRows(): void {
    const texts = this.#members.map(({ store }) => liveRows(store).map(rowText).join("\n"));
    if (new Set(texts).size !== 1) throw new Error(`ROWS\n${texts.join("\n---\n")}`);
    for (const { store } of this.#members) {
      const left = store.rows().filter((row) => LEFTOVERS.has(row.key[0] as number));
      if (left.length > 0) throw new Error(`LEFT ${left.map(rowText).join(" ")}`);
    }
  }
}

const LEFTOVERS: ReadonlySet<number> = new Set([
  ROW_PREFIX.garbage,
  ROW_PREFIX.expiry,
  ROW_PREFIX.staging,
]);

function liveRows(store: RowStore): RowPair[] {
  return store.rows().filter((row) => row.key[0] !== ROW_PREFIX.meta);
}

function rowText({ key, value }: RowPair): string {
  return `${key.join(".")}=${value.join(".")}`;
}

/** Runs one random history to its end. Throws at the first broken promise. */
export function runHistory(policy: Policy, steps: readonly Step[], fault?: ChunkFault): void {
  const cluster = new Cluster(policy, fault);
  for (const step of steps) cluster.step(step);
  cluster.settle();
}
