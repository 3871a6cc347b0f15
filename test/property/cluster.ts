// Why so long: replicas, messages, membership and checks share one state, which random steps change in any order.

import { equalBytes } from "../../src/base/bytes.js";
import type { CatchUpChunk } from "../../src/core/catch-up.js";
import { applyDelta, deltaTag, joinStates, type Delta } from "../../src/core/crdt/index.js";
import { equalDots, formatDot } from "../../src/core/dot.js";
import { IncomingHeartbeats } from "../../src/core/heartbeat-changes.js";
import { decodeItem, dotsOf } from "../../src/core/item.js";
import type { Policy } from "../../src/core/live-set.js";
import type { Replica } from "../../src/core/replica.js";
import {
  itemRowKey,
  parseDotRow,
  parseExpiryRow,
  ROW_PREFIX,
  type RowPair,
} from "../../src/core/rows.js";
import type { Standing } from "../../src/core/standing.js";
import { utf8Bytes } from "../../src/core/text.js";
import type { Mutation } from "../../src/core/update.js";
import { TAG } from "../../src/core/value.js";
import { visibleVersions } from "../../src/core/visible.js";
import { decodeMessage, encodeMessage, joinUpdates } from "../../src/core/wire/messages.js";
import { encodeUpdate } from "../../src/core/wire/update.js";
import type { RowStore } from "../helpers/row-store.js";
import { overTheWire, type Mail, type Session } from "./cluster-messages.js";
import { ClusterNode } from "./cluster-node.js";
import { GhostLog } from "./ghost-log.js";
import { Registry } from "./registry.js";

/** What a test may plant: it sees every chunk on its way and may deliver others instead. */
export interface ChunkFault {
  deliver(
    session: Session,
    chunk: CatchUpChunk,
    to: { readonly replica: Replica; readonly store: RowStore },
  ): CatchUpChunk[];
}

/** One random step: what to do, and numbers that say with whom, where and how. */
export type Step = readonly [kind: number, a: number, b: number, c: number, d: number];

/** How often something happened, over all histories. */
export type Tally = Map<string, number>;

/** How a history is run. */
export interface HistoryOptions {
  readonly fault?: ChunkFault | undefined;
  readonly tally?: Tally;
  /** The policy that the keygroup gets on the way; each node learns of it at another time, or it goes back. */
  readonly changesTo?: Policy;
}

const NODES = [0, 1, 2, 3];
const FOUNDERS = [0, 1, 2];
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

/** Four nodes, of which three are members at first, the messages between them, and the checks. */
class Cluster {
  readonly #changesFrom: Policy | undefined;
  readonly #changesTo: Policy | undefined;
  readonly #fault: ChunkFault | undefined;
  readonly #tally: Tally;
  readonly #ghosts = new GhostLog();
  readonly #registry = new Registry(FOUNDERS);
  readonly #nodes: ClusterNode[];
  readonly #mail: Mail[] = [];
  readonly #sessions: Session[] = [];
  #wallMs = START_MS;
  #beats = 0;

  constructor(policy: Policy, { tally, fault, changesTo }: HistoryOptions) {
    this.#changesFrom = changesTo && policy;
    this.#changesTo = changesTo;
    this.#tally = tally ?? new Map();
    this.#fault = fault;
    const terms = { policy, wallMs: () => this.#wallMs };
    this.#nodes = NODES.map((index) => new ClusterNode(index, terms));
    for (const at of FOUNDERS) this.#node(at).found(this.#registry.latest, at + 1, true);
  }

  /** Does one step and checks the node that it touched. */
  step([kind, a, b, c, d]: Step): void {
    const at = a % NODES.length;
    const other = (at + 1 + (b % 3)) % NODES.length;
    if (kind < 28) this.#commit(at, b, c, d);
    else if (kind < 48) this.#deliver(b, c % 5 === 0);
    else if (kind < 51) this.#mail.splice(b % (this.#mail.length || 1), 1);
    else if (kind < 54) this.#crash(at, b);
    else if (kind < 55) this.#abort(at, b, c, d);
    else if (kind < 61) this.#beginCatchUp(at, other);
    else if (kind < 69) this.#serve(b);
    else if (kind < 77) this.#deliverChunk(b);
    else if (kind < 78) this.#breakOff(this.#sessions[b % (this.#sessions.length || 1)]);
    else if (kind < 79) this.#changePolicy(at, b % 4 === 0 ? this.#changesFrom : this.#changesTo);
    else if (kind < 80) this.#wallMs += 1 + (b % 40);
    else if (kind < 83) this.#node(at).sync();
    else if (kind < 88) this.#heartbeat(at, other);
    else if (kind < 91) this.#collect(at, 1 + (b % 3));
    else if (kind < 93) this.#round(b);
    else if (kind < 95) this.#learn(at, b % 2);
    else if (kind < 97) this.#join(at);
    else if (kind < 98) this.#leave(at);
    else if (kind < 99) this.#remove(at);
    else this.#loseDisk(at);
    this.#check(at);
  }

  /** Heals everything and requires that the members end equal, with no garbage left. */
  settle(): void {
    this.#mail.length = 0;
    while (this.#sessions.length > 0) this.#breakOff(this.#sessions[0]);
    this.#wallMs += 1000;
    for (const at of NODES) this.#changePolicy(at, this.#changesTo);
    for (let round = 0; round < 8; round++) {
      for (const at of NODES) this.#learn(at, Infinity);
      for (const to of NODES) for (const from of NODES) if (from !== to) this.#pull(to, from);
      for (const at of NODES) this.#joinAfresh(this.#node(at));
    }
    for (let round = 0; round < 8; round++) {
      for (const at of NODES) this.#node(at).sync();
      for (const at of NODES) for (const to of NODES) if (at !== to) this.#heartbeat(at, to);
      while (this.#mail.length > 0) this.#deliver(0, false);
      for (const at of NODES) this.#collect(at, 1000);
      for (const at of NODES) this.#retire(at);
      for (const at of NODES) this.#check(at);
    }
    this.#requireEqual();
  }

  #node(at: number): ClusterNode {
    return this.#nodes[at] as ClusterNode;
  }

  #count(what: string): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1);
  }

  #commit(at: number, b: number, c: number, d: number): void {
    const node = this.#node(at);
    const replica = node.serving;
    if (!replica || node.isLeaving) return;
    const past = replica.vector.clone();
    const effects = replica.commit(node.store, this.#mutations(node, replica, b, c, d), {
      wallMs: this.#wallMs + (at - 1) * 7,
    });
    this.#ghosts.add(effects.update, past, node.policy);
    node.put(effects.writes);
    const bytes = joinUpdates(1, [encodeUpdate(effects.update)]);
    for (const to of NODES) {
      if (to !== at && node.knows(to)) this.#mail.push({ from: node.member, to, bytes });
    }
  }

  #mutations(node: ClusterNode, replica: Replica, b: number, c: number, d: number): Mutation[] {
    const count = b % 4 === 0 ? 2 : 1;
    return Array.from({ length: count }, (_, i) => {
      const key = KEYS[(b + i) % KEYS.length] as Uint8Array;
      return this.#mutation(node, replica, key, c + i * 5, d);
    });
  }

  #mutation(node: ClusterNode, replica: Replica, key: Uint8Array, c: number, d: number): Mutation {
    const live = replica.read(node.store, key);
    const visible = visibleVersions(node.policy, live, replica.nowMs(this.#wallMs));
    const old = node.contexts.get(key.join()) ?? [];
    if (d % 3 === 0) node.contexts.set(key.join(), dotsOf(visible));
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
    const node = this.#node(at);
    const replica = node.serving;
    if (!replica) return;
    replica.commit(node.store, this.#mutations(node, replica, b, c, d), { wallMs: this.#wallMs });
    node.abort();
  }

  /** Every other time one of the oldest messages, so that many arrive in order. */
  #deliver(b: number, isDuplicated: boolean): void {
    const among = b % 2 === 0 ? Math.min(4, this.#mail.length) : this.#mail.length;
    const at = (b >>> 1) % (among || 1);
    const mail = this.#mail[at];
    if (mail && !isDuplicated) this.#mail.splice(at, 1);
    this.#deliverMail(mail);
  }

  #deliverMail(mail: Mail | undefined): void {
    if (!mail) return;
    const node = this.#node(mail.to);
    const { replica, store } = node;
    if (!replica) return;
    const { message } = decodeMessage(mail.bytes);
    if (message.type === "updates") {
      for (const update of message.updates) {
        const { writes, outcome } = replica.receive(store, update);
        node.put(writes);
        this.#count(`update ${outcome}`);
      }
    } else if (message.type === "heartbeat") {
      const heartbeat = new IncomingHeartbeats().take(message.heartbeat);
      if (!heartbeat) throw new Error("a heartbeat that says everything is not understood");
      const { standing, hlc, relayed } = heartbeat;
      this.#stand(node, mail.from, standing, hlc);
      for (const { standing } of relayed) this.#stand(node, mail.from, standing);
      node.put([]);
    }
    this.#check(mail.to);
  }

  /** A node is told by `from` where a member stands: itself, or another one. */
  #stand(node: ClusterNode, from: number, standing: Standing, hlc?: number): void {
    const { replica, relay } = node;
    const isRelayed = hlc === undefined;
    const outcome = replica?.receiveStanding(isRelayed ? standing.member : from, standing, hlc);
    this.#count(`${isRelayed ? "relay" : "heartbeat"} ${outcome?.type}`);
    if (outcome?.type === "rejected") throw new Error(`REJECTED ${outcome.problem}`);
    if (outcome?.type === "noted") relay?.note(standing, this.#beats++, from);
  }

  #crash(at: number, b: number): void {
    const node = this.#node(at);
    if (!node.replica) return;
    const isPowerCut = b % 3 === 0;
    this.#breakOffAll(at);
    if (b % 2 === 0) this.#loseMailOf(node.member);
    this.#count(isPowerCut ? "power cut" : "crash");
    node.crash(isPowerCut, !isPowerCut && b % 3 === 1);
  }

  #loseMailOf(member: number): void {
    for (const mail of this.#mail.filter(({ from }) => from === member)) {
      this.#mail.splice(this.#mail.indexOf(mail), 1);
    }
  }

  #beginCatchUp(to: number, from: number): Session | undefined {
    const node = this.#node(to);
    const sender = this.#node(from);
    if (!node.replica || !sender.replica || node.isLeaving) return undefined;
    if (!node.replica.identity.isServing) {
      while (node.replica.sweep(node.store, 2).length > 0) {
        node.put(node.replica.sweep(node.store, 2));
      }
    }
    const request = node.replica.catchUpRequest(node.store, sender.member);
    if (request.position) this.#count("join goes on");
    const session: Session = {
      from,
      to,
      sender: sender.member,
      receiver: node.member,
      request: overTheWire({ type: "request", request }).request,
      start: sender.replica.vector.clone(),
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
    this.#node(session.to).replica?.cancelCatchUp(session.request.id);
  }

  #breakOffAll(at: number): void {
    const broken = this.#sessions.filter(({ from, to }) => from === at || to === at);
    for (const session of broken) this.#breakOff(session);
  }

  #serve(b: number): void {
    const session = this.#sessions[b % (this.#sessions.length || 1)];
    if (!session || session.isServed) return;
    const { replica, store } = this.#node(session.from);
    if (!replica) return;
    const answer = replica.serveCatchUp(store, session.request, session.cursor, SMALL_CHUNKS);
    if (answer.type === "chunk") {
      session.queue.push(overTheWire(answer).chunk);
      session.cursor = answer.cursor;
    } else {
      session.queue.push(overTheWire(answer));
    }
    session.isServed = answer.type !== "chunk" || answer.cursor === undefined;
  }

  #deliverChunk(b: number): void {
    const session = this.#sessions[b % (this.#sessions.length || 1)];
    const answer = session?.queue.shift();
    if (!session || !answer) return;
    const node = this.#node(session.to);
    const { replica } = node;
    if (!replica || replica.identity.epoch !== session.receiver) return this.#breakOff(session);
    if ("type" in answer) {
      this.#breakOff(session);
      this.#count(answer.type);
      if (!replica.identity.isServing) {
        if (session.request.position) node.put(replica.abandonJoin());
      } else if (answer.type === "reset" && replica.mustRejoin(answer.floor)) {
        throw new Error("RESET of a member that has everything");
      }
      return;
    }
    session.delivered.push(answer);
    const chunks = this.#fault?.deliver(session, answer, { replica, store: node.store });
    for (const chunk of chunks ?? [answer]) this.#receiveChunk(node, replica, chunk, session);
    if (answer.end && this.#sessions.includes(session)) this.#breakOff(session);
    this.#check(session.to);
  }

  #receiveChunk(node: ClusterNode, replica: Replica, chunk: CatchUpChunk, session: Session): void {
    const wasServing = replica.identity.isServing;
    const from = chunk.id === session.request.id ? session.sender : undefined;
    const effects = replica.receiveChunk(node.store, chunk, from);
    this.#count(`chunk ${effects.outcome}`);
    node.put(effects.writes);
    node.put(replica.receiveHeld(node.store).writes);
    if (effects.outcome === "rejoin") node.isLeaving = true;
    if (effects.outcome === "rejected") {
      if (wasServing) throw new Error(`REJECTED ${effects.problem}`);
      node.put(replica.abandonJoin());
    }
    if (!wasServing && replica.identity.isServing) this.#count("joined");
  }

  /** A whole catch-up, unless the sender would not serve it. */
  #pull(to: number, from: number): void {
    if (!this.#node(from).serving || !this.#node(to).replica) return;
    const session = this.#beginCatchUp(to, from);
    if (!session) return;
    for (let i = 0; this.#sessions.includes(session); i++) {
      if (i > 1000) throw new Error("ENDLESS catch-up");
      const at = this.#sessions.indexOf(session);
      this.#serve(at);
      this.#deliverChunk(at);
    }
  }

  #changePolicy(at: number, policy: Policy | undefined): void {
    const node = this.#node(at);
    if (policy === undefined || node.policy === policy) return;
    this.#breakOffAll(at);
    this.#count("policy changed");
    node.changePolicy(policy);
  }

  #heartbeat(at: number, to: number): void {
    const node = this.#node(at);
    const heartbeat = node.heartbeat(to);
    if (!heartbeat) return;
    const bytes = encodeMessage(1, { type: "heartbeat", heartbeat });
    this.#mail.push({ from: node.member, to, bytes });
  }

  /** Syncs and heartbeats of all, of which some are lost; then everyone tidies up. */
  #round(b: number): void {
    for (const at of NODES) if ((b >> at) % 2 === 0) this.#node(at).sync();
    for (const at of NODES) {
      for (const to of NODES) {
        if (at === to || (b >> (at * 2 + (to % 2))) % 4 === 3) continue;
        const before = this.#mail.length;
        this.#heartbeat(at, to);
        if (this.#mail.length > before) this.#deliverMail(this.#mail.pop());
      }
    }
    for (const at of NODES) this.#retire(at);
    for (const at of NODES) this.#collect(at, 2);
    for (const at of NODES) this.#check(at);
  }

  #collect(at: number, limit: number): void {
    const { replica, store } = this.#node(at);
    if (replica) this.#node(at).put(replica.collect(store, { limit, wallMs: this.#wallMs }));
  }

  #retire(at: number): void {
    const { replica } = this.#node(at);
    if (!replica) return;
    const before = replica.vector.entries();
    this.#node(at).put(replica.retire());
    for (const last of before) {
      if (replica.vector.lists(last)) continue;
      this.#ghosts.retired(last);
      this.#count("retired");
    }
  }

  /** A node learns the next record, or one that follows. */
  #learn(at: number, skip: number): void {
    const node = this.#node(at);
    const record = this.#registry.after(node.knownEpoch, skip);
    if (!record) return;
    if (node.replica && !record.members.includes(node.member)) {
      this.#breakOffAll(at);
      this.#count("removed");
      node.dropReplica();
    }
    node.adopt(record);
    const mine = [...record.nodes].find(([, index]) => index === at);
    if (!node.replica && mine) node.found(record, mine[0], false);
  }

  #join(at: number): void {
    if (this.#registry.memberOf(at) === undefined) this.#registry.change({ adds: at });
  }

  /** Leaves in peace, if another serving member has everything. */
  #leave(at: number): void {
    const node = this.#node(at);
    if (this.#registry.memberOf(at) !== node.member || !this.#isCovered(node)) return;
    this.#count("left");
    this.#registry.change({ removes: node.member });
    this.#learn(at, Infinity);
  }

  /** Removes a node by force, at any time, while another one serves. */
  #remove(at: number): void {
    const removes = this.#registry.memberOf(at);
    if (removes !== undefined && this.#isServedWithout(at)) this.#registry.change({ removes });
  }

  /** Loses its disk and comes back as another member, by its own transaction. */
  #loseDisk(at: number): void {
    const member = this.#registry.memberOf(at);
    if (member === undefined || !this.#isServedWithout(at)) return;
    this.#breakOffAll(at);
    this.#count("disk lost");
    const record = this.#registry.change({ removes: member, adds: at });
    this.#node(at).found(record, record.epoch, false);
  }

  /** What was too far behind goes on under a new name, once another member has everything. */
  #joinAfresh(node: ClusterNode): void {
    if (!node.isLeaving || this.#registry.memberOf(node.index) !== node.member) return;
    if (!this.#isCovered(node)) return;
    this.#breakOffAll(node.index);
    this.#count("joined afresh");
    node.rejoin(this.#registry.change({ removes: node.member, adds: node.index }));
  }

  #isCovered(node: ClusterNode): boolean {
    const vector = node.replica?.vector;
    return this.#serversWithout(node.index).some(
      ({ serving }) => vector !== undefined && serving?.vector.includes(vector),
    );
  }

  #isServedWithout(at: number): boolean {
    return this.#serversWithout(at).length > 0;
  }

  #serversWithout(at: number): ClusterNode[] {
    return this.#nodes.filter(
      (node) =>
        node.index !== at &&
        node.serving !== undefined &&
        !node.isLeaving &&
        this.#registry.memberOf(node.index) === node.member,
    );
  }

  #check(at: number): void {
    const { serving, store, policy } = this.#node(at);
    if (!serving) return;
    this.#ghosts.checkCausality(serving.vector);
    const nowMs = serving.nowMs(this.#wallMs);
    for (const key of KEYS) {
      const have = visibleVersions(policy, serving.read(store, key), nowMs);
      const want = this.#ghosts.visible(policy, serving.vector, key, nowMs);
      const [haveDots, wantDots] = [have, want].map((list) =>
        dotsOf(list).map(formatDot).join(" "),
      );
      if (haveDots !== wantDots) {
        throw new Error(`STATE node ${at} shows [${haveDots}], not [${wantDots}]`);
      }
      have.forEach((version, i) => {
        const isSame = equalBytes(version.value.bytes, want[i]?.value.bytes ?? utf8Bytes(""));
        if (!isSame) throw new Error(`VALUE of ${formatDot(version.dot)} differs`);
      });
    }
  }

  #requireEqual(): void {
    const members = [...this.#registry.latest.nodes].map(([member, at]) => {
      const node = this.#node(at);
      if (node.member !== member || !node.serving) throw new Error(`LIVENESS node ${at}`);
      return node;
    });
    const vectors = members.map(({ serving }) => serving?.vector.entries().map(formatDot).join());
    if (new Set(vectors).size !== 1) throw new Error(`VECTORS ${vectors.join(" | ")}`);
    if (members[0]?.serving?.vector.size !== members.length) {
      throw new Error(`LEFT origins ${vectors[0]}`);
    }
    const texts = members.map(({ store }) => liveRows(store).map(rowText).join("\n"));
    if (new Set(texts).size !== 1) throw new Error(`ROWS\n${texts.join("\n---\n")}`);
    for (const { store } of members) {
      const left = store.rows().filter((row) => isLeft(store, row));
      if (left.length > 0) throw new Error(`LEFT ${left.map(rowText).join(" ")}`);
    }
  }
}

const LEFTOVERS: ReadonlySet<number> = new Set([
  ROW_PREFIX.garbage,
  ROW_PREFIX.expiry,
  ROW_PREFIX.staging,
]);

/** What hides an older sibling stays until that is resolved. */
function isLeft(store: RowStore, { key }: RowPair): boolean {
  if (!LEFTOVERS.has(key[0] as number)) return false;
  if (key[0] === ROW_PREFIX.staging) return true;
  const isGarbage = key[0] === ROW_PREFIX.garbage;
  const { dot, key: itemKey } = isGarbage ? parseDotRow(key) : parseExpiryRow(key);
  const live = decodeItem(store.get(itemRowKey(itemKey)) ?? new Uint8Array(0));
  return !live.some((version) => version.isSibling && !equalDots(version.dot, dot));
}

function liveRows(store: RowStore): RowPair[] {
  return store.rows().filter((row) => row.key[0] !== ROW_PREFIX.meta);
}

function rowText({ key, value }: RowPair): string {
  return `${key.join(".")}=${value.join(".")}`;
}

/** Runs one random history to its end. Throws at the first broken promise. */
export function runHistory(
  policy: Policy,
  steps: readonly Step[],
  options: HistoryOptions = {},
): void {
  const cluster = new Cluster(policy, options);
  for (const step of steps) cluster.step(step);
  cluster.settle();
}
