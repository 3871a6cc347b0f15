// Why so long: every oracle looks at the same history.

import { createPrng, type Prng } from "../base/prng.js";
import { equalBytes } from "../base/bytes.js";
import { compareDots, compareOrigins, formatDot, type Dot, type Origin } from "../core/dot.js";
import { hlcFromMs, hlcToMs } from "../core/hlc.js";
import { decodeItem, dotsOf, type Version } from "../core/item.js";
import { readState } from "../core/meta.js";
import type { Replica } from "../core/replica.js";
import { itemRowKey, parseDotRow, parseExpiryRow, ROW_PREFIX, type RowPair } from "../core/rows.js";
import type { Update } from "../core/update.js";
import { Vector } from "../core/vector.js";
import { versionToken, visibleVersions } from "../core/visible.js";
import type { OpenedReplica } from "../keygroups/keygroup-options.js";
import { GhostLog, type Ghost } from "./ghost-log.js";
import type { SimNaming } from "./naming.js";
import type { Downfall, SimNode } from "./node.js";
import type { Plan } from "./plan.js";
import type { VirtualTime } from "./virtual-time.js";

/** A promise that was broken: the run ends. */
export class Violation extends Error {
  override readonly name = "Violation";
}

interface Watched {
  readonly replica: Replica;
  /** What it had applied after its last transaction. */
  readonly applied: Map<string, Dot>;
  /** Commits of the running transaction. */
  commits: { readonly update: Update; readonly past: readonly Dot[] }[];
  /** Keys that the running transaction changes; `undefined` = any. */
  touched: Uint8Array[] | undefined;
  isInstalling: boolean;
  /** All commits before it, by the time they were made, are applied or excused. */
  firstMissing: number;
}

/** How many transactions are checked in full: the others by the keys that they touched. */
const FULL_CHECK_RATE = 0.04;

/**
 * Watches every replica and every client, and fails at the first broken promise. It keeps its own
 * history of all commits and of what clients were told.
 */
export class Checker {
  readonly ghosts = new GhostLog();
  /** The first broken promise. Whoever calls may catch what is thrown, so it is kept here. */
  violation: Violation | undefined;
  readonly #plan: Plan;
  readonly #time: VirtualTime;
  readonly #naming: SimNaming;
  readonly #nodes: readonly SimNode[];
  readonly #random: Prng;
  readonly #keys: readonly Uint8Array[];
  readonly #timeline: Ghost[] = [];
  readonly #watched = new Map<SimNode, Watched>();
  readonly #happened: (what: string) => void;

  constructor(parts: {
    plan: Plan;
    time: VirtualTime;
    naming: SimNaming;
    nodes: readonly SimNode[];
    keys: readonly Uint8Array[];
    happened: (what: string) => void;
  }) {
    this.#plan = parts.plan;
    this.#time = parts.time;
    this.#naming = parts.naming;
    this.#nodes = parts.nodes;
    this.#keys = parts.keys;
    this.#happened = parts.happened;
    this.#random = createPrng(parts.plan.seed + 7);
  }

  /** A replica object begins: its steps are watched. */
  opened(node: SimNode, { replica }: OpenedReplica): void {
    const watched: Watched = {
      replica,
      applied: new Map(replica.vector.entries().map((dot) => [originName(dot), dot])),
      commits: [],
      touched: [],
      isInstalling: false,
      firstMissing: 0,
    };
    this.#watched.set(node, watched);
    this.#wrap(watched);
  }

  /** A transaction of that node's store has ended. */
  transacted(node: SimNode, isCommitted: boolean): void {
    const watched = this.#watched.get(node);
    if (!watched) return;
    const { commits, touched, isInstalling } = watched;
    watched.commits = [];
    watched.touched = [];
    watched.isInstalling = false;
    if (!isCommitted) return;
    for (const { update, past } of commits) this.#addGhost(node, update, past);
    this.#checkVector(node, watched, isInstalling);
    if (!watched.replica.identity.isServing) return;
    const isFull = touched === undefined || this.#random.next() < FULL_CHECK_RATE;
    for (const key of isFull ? this.#keys : touched) this.#checkKey(node, watched.replica, key);
  }

  /** A client was told that its write is done. */
  acknowledged(node: SimNode, writer: Uint8Array): Ghost | undefined {
    const ghost = this.ghosts.ofWriter(writer);
    if (!ghost) return undefined;
    ghost.isAcknowledged = true;
    const { dot } = ghost.update;
    const { synced, rows } = node.disk;
    const kept = readState(this.#plan.config.durability === "strict" ? synced : rows).vector;
    this.#require(kept.covers(dot), `ACKNOWLEDGED ${formatDot(dot)} before it was kept`);
    const members = this.#naming.record.members;
    if (!members.some(({ epoch }) => epoch === dot.epoch)) ghost.isExcused = true;
    return ghost;
  }

  /** A client was shown `token` for a key. */
  read(node: SimNode, key: Uint8Array, token: string | undefined): void {
    const replica = node.keygroup?.replica;
    if (!replica) return;
    const want = this.ghosts.visible(this.#policy, replica.vector, key, nowOf(node, replica));
    const wanted = want.length === 0 ? undefined : versionToken(want);
    this.#require(token === wanted, `READ n${node.index} shows ${token}, not ${wanted}`);
  }

  /** A node's store is empty now. */
  wiped(node: SimNode): void {
    this.#watched.delete(node);
    this.reassess();
  }

  /** A client was told that what it reads is at most so old. */
  bounded(node: SimNode, boundMs: number): void {
    const watched = this.#watched.get(node);
    if (!watched) return;
    const trueMs = this.#staleness(watched);
    this.#happened(trueMs > 0 ? "staleness.some" : "staleness.none");
    const text = `STALENESS n${node.index} says ${boundMs} ms, but it is ${trueMs} ms`;
    this.#require(boundMs >= trueMs, text);
  }

  /** In a cluster at rest and linked, a bound may be no larger than that. */
  boundedTightly(node: SimNode, boundMs: number, allowedMs: number): void {
    const text = `STALENESS n${node.index} says ${boundMs} ms, at rest at most ${allowedMs} ms`;
    this.#require(boundMs <= allowedMs, text);
  }

  /** A node went down; its disk is as it will be found. */
  crashed(node: SimNode, how: Downfall): void {
    const watched = this.#watched.get(node);
    this.#watched.delete(node);
    if (watched && how === "power" && this.#plan.config.durability === "strict") {
      this.#forgetUnshown(node, watched.replica.origin);
    }
    this.reassess();
  }

  /** Something that was kept is gone: whatever nobody else has may be missing from now on. */
  reassess(): void {
    const kept: Vector[] = [];
    for (const node of this.#nodes) {
      const member = this.#naming.memberOf(node.name);
      const isItsStore = member !== undefined && node.storedMember === member;
      if (isItsStore) kept.push(readState(node.disk.rows).vector);
    }
    for (const ghost of this.ghosts.all()) {
      if (ghost.isExcused) continue;
      const { dot } = ghost.update;
      if (kept.some((vector) => this.ghosts.covers(vector, dot))) continue;
      ghost.isExcused = true;
      this.#happened("write.excused");
    }
  }

  /** Why the cluster is not at rest and equal; `undefined` when it is. */
  whyNotEqual(): string | undefined {
    let first: { vector: string; rows: string } | undefined;
    for (const { node: name, epoch } of this.#naming.record.members) {
      const node = this.#nodes.find((one) => one.name === name) as SimNode;
      const replica = node.keygroup?.replica;
      if (!replica || replica.identity.epoch !== epoch || !replica.identity.isServing) {
        return `LIVENESS n${node.index} does not serve as ${epoch}`;
      }
      const vector = vectorText(replica.vector);
      const rows = rowsText(node, ITEM_PREFIXES);
      first ??= { vector, rows };
      if (replica.vector.size > this.#naming.record.members.length) {
        return `VECTOR n${node.index} lists ${vector}, which are too many`;
      }
      if (vector !== first.vector) return `VECTORS n${node.index} ${vector} | ${first.vector}`;
      if (rows !== first.rows) return `ROWS n${node.index} ${difference(rows, first.rows)}`;
      const left = leftoversText(node);
      if (left !== "") return `LEFTOVERS n${node.index} ${left}`;
    }
    return undefined;
  }

  /** Everything that must hold once the cluster is at rest. */
  final(): void {
    for (const { node: name } of this.#naming.record.members) {
      const node = this.#nodes.find((one) => one.name === name) as SimNode;
      const replica = node.keygroup?.replica as Replica;
      for (const key of this.#keys) this.#checkKey(node, replica, key);
      for (const ghost of this.ghosts.all()) {
        if (!ghost.isAcknowledged || ghost.isExcused) continue;
        const { dot } = ghost.update;
        const isKept = this.ghosts.covers(replica.vector, dot);
        this.#require(isKept, `LOST ${formatDot(dot)} at n${node.index}`);
      }
    }
  }

  /** How long ago the earliest commit was made that is somewhere and not here. */
  #staleness(watched: Watched): number {
    const { vector } = watched.replica;
    for (; watched.firstMissing < this.#timeline.length; watched.firstMissing++) {
      const ghost = this.#timeline[watched.firstMissing] as Ghost;
      if (ghost.isExcused || this.ghosts.covers(vector, ghost.update.dot)) continue;
      return this.#time.nowMs - ghost.atMs;
    }
    return 0;
  }

  get #policy(): Plan["config"]["policy"] {
    return this.#plan.config.policy;
  }

  #require(isKept: unknown, broken: string): asserts isKept {
    if (!isKept) this.#broken(broken);
  }

  #broken(what: string): never {
    this.violation ??= new Violation(what);
    throw this.violation;
  }

  #wrap(watched: Watched): void {
    const { replica } = watched;
    const commit = replica.commit.bind(replica);
    replica.commit = (reader, mutations, stamp) => {
      const past = replica.vector.entries();
      const effects = commit(reader, mutations, stamp);
      watched.commits.push({ update: effects.update, past });
      watched.touched?.push(...effects.update.entries.map(({ key }) => key));
      return effects;
    };
    const receive = replica.receive.bind(replica);
    replica.receive = (reader, update) => {
      const effects = receive(reader, update);
      this.#happened(`update.${effects.outcome}`);
      for (const { entries } of effects.applied) {
        watched.touched?.push(...entries.map(({ key }) => key));
      }
      return effects;
    };
    const receiveChunk = replica.receiveChunk.bind(replica);
    replica.receiveChunk = (reader, chunk, from) => {
      const { isServing } = replica.identity;
      const effects = receiveChunk(reader, chunk, from);
      const isJoining = !isServing && effects.outcome === "applied";
      this.#happened(isJoining ? "chunk.joined" : `chunk.${effects.outcome}`);
      if (effects.outcome === "applied") {
        watched.touched = undefined;
        watched.isInstalling = true;
      }
      return effects;
    };
    const collect = replica.collect.bind(replica);
    replica.collect = (reader, options) => {
      const writes = collect(reader, options);
      this.#happened(writes.length > 0 ? "collect.some" : "collect.none");
      if (writes.length > 0) watched.touched = undefined;
      return writes;
    };
  }

  #addGhost(node: SimNode, update: Update, past: readonly Dot[]): void {
    for (const last of past) {
      const hlc = this.ghosts.of(last)?.update.hlc ?? 0;
      const isLater = update.hlc > hlc;
      this.#require(isLater, `HLC ${formatDot(update.dot)} is not after ${formatDot(last)}`);
    }
    const ghost: Ghost = {
      update,
      past,
      atMs: this.#time.nowMs,
      node: node.index,
      isAcknowledged: false,
      // Whoever was removed and does not know it yet writes for nobody.
      isExcused: !this.#naming.record.members.some(({ epoch }) => epoch === update.dot.epoch),
    };
    this.#timeline.push(ghost);
    try {
      this.ghosts.add(ghost);
    } catch (error) {
      this.#broken((error as Error).message);
    }
  }

  /** A vector only grows, holds nothing that was never committed, and is causally closed. */
  #checkVector(node: SimNode, watched: Watched, isInstalling: boolean): void {
    const { vector } = watched.replica;
    const before = watched.applied;
    const where = `n${node.index}`;
    this.#checkRetired(where, watched, isInstalling);
    for (const last of vector.entries()) {
      const name = originName(last);
      const known = before.get(name)?.counter ?? 0;
      this.#require(known <= last.counter, `BACK ${where} ${formatDot(last)} from ${known}`);
      if (known !== last.counter) this.#checkCovered(where, vector, last, known);
      before.set(name, last);
    }
  }

  /** All replicas agree on the last commit of an origin that they retire. */
  #checkRetired(where: string, { replica, applied }: Watched, isInstalling: boolean): void {
    const { vector } = replica;
    for (const [name, last] of applied) {
      if (vector.lists(last)) continue;
      applied.delete(name);
      const final = this.ghosts.finalOf(last);
      if (final !== undefined && isInstalling) {
        this.#checkCovered(where, vector, { ...last, counter: final }, last.counter);
        continue;
      }
      const isSame = final === undefined || final === last.counter;
      this.#require(isSame, `RETIRED ${name} at ${last.counter} by ${where}, not at ${final}`);
      this.ghosts.retire(last);
      this.#happened("origin.retired");
    }
  }

  /** Everything of an origin above `known` was committed, and after what is applied here too. */
  #checkCovered(where: string, vector: Vector, last: Dot, known: number): void {
    for (let counter = known + 1; counter <= last.counter; counter++) {
      const dot = { ...last, counter };
      const ghost = this.ghosts.of(dot);
      this.#require(ghost, `INVENTED ${formatDot(dot)} at ${where}`);
      for (const earlier of ghost.past) {
        if (earlier.counter === 0 || this.ghosts.covers(vector, earlier)) continue;
        this.#broken(`CAUSALITY ${where} ${formatDot(dot)} without ${formatDot(earlier)}`);
      }
    }
  }

  /** The visible state of a key is what the vector says. */
  #checkKey(node: SimNode, replica: Replica, key: Uint8Array): void {
    const nowMs = nowOf(node, replica);
    const have = visibleVersions(this.#policy, replica.read(node.disk.rows, key), nowMs);
    const want = this.ghosts.visible(this.#policy, replica.vector, key, nowMs);
    if (isSame(have, want)) return;
    const text = `STATE n${node.index} ${String.fromCharCode(...key)} shows [${names(have)}]`;
    this.#broken(`${text}, not [${names(want)}] at ${vectorText(replica.vector)}`);
  }

  /** What a strict replica had not synced is gone and was shown to nobody, or else. */
  #forgetUnshown(node: SimNode, origin: Origin): void {
    const { rows } = node.disk;
    const kept = rows.size === 0 ? new Vector() : readState(rows).vector;
    for (const ghost of this.ghosts.all()) {
      const { dot } = ghost.update;
      if (compareOrigins(dot, origin) !== 0 || kept.covers(dot)) continue;
      const name = formatDot(dot);
      this.#require(!ghost.isAcknowledged, `LOST ${name}, acknowledged as strict`);
      for (const [other, { replica }] of this.#watched) {
        const isShown = replica.vector.covers(dot);
        this.#require(!isShown, `SHOWN ${name} to n${other.index} before it was synced`);
      }
      this.ghosts.forget(ghost);
      ghost.isExcused = true;
      this.#happened("write.unsynced");
    }
  }
}

const ITEM_PREFIXES: ReadonlySet<number> = new Set([
  ROW_PREFIX.item,
  ROW_PREFIX.index,
  ROW_PREFIX.garbage,
  ROW_PREFIX.expiry,
]);
const LEFTOVER_PREFIXES: ReadonlySet<number> = new Set([
  ROW_PREFIX.garbage,
  ROW_PREFIX.expiry,
  ROW_PREFIX.staging,
]);

function rowsText(node: SimNode, prefixes: ReadonlySet<number>): string {
  const lines: string[] = [];
  for (const { key, value } of node.disk.rows.all()) {
    if (prefixes.has(key[0] as number)) lines.push(`${key.join(".")}=${value.join(".")}`);
  }
  return lines.join("\n");
}

/**
 * Rows that list what should be gone. A delete that hides an older sibling stays until that is
 * resolved (decision 0013).
 */
function leftoversText(node: SimNode): string {
  const { rows } = node.disk;
  const isAwaited = (row: RowPair): boolean => {
    if (row.key[0] === ROW_PREFIX.staging) return false;
    const isGarbage = row.key[0] === ROW_PREFIX.garbage;
    const { dot, key } = isGarbage ? parseDotRow(row.key) : parseExpiryRow(row.key);
    const live = decodeItem(rows.get(itemRowKey(key)) ?? new Uint8Array(0));
    return live.some((version) => version.isSibling && compareDots(version.dot, dot) !== 0);
  };
  const left = [...rows.all()].filter(
    (row) => LEFTOVER_PREFIXES.has(row.key[0] as number) && !isAwaited(row),
  );
  return left.map(({ key, value }) => `${key.join(".")}=${value.join(".")}`).join("\n");
}

/** Lines of which only one of the two has them. */
function difference(left: string, right: string): string {
  const [lefts, rights] = [left.split("\n"), right.split("\n")];
  const here = lefts.filter((line) => !rights.includes(line));
  const there = rights.filter((line) => !lefts.includes(line));
  return `has ${here.join(" ")} and lacks ${there.join(" ")}`;
}

function vectorText(vector: Vector): string {
  const entries = vector.entries().filter(({ counter }) => counter > 0);
  return entries.map(formatDot).join(" ");
}

function names(versions: readonly Version[]): string {
  return dotsOf(versions).map(formatDot).join(" ");
}

function isSame(left: readonly Version[], right: readonly Version[]): boolean {
  if (left.length !== right.length) return false;
  return left.every((version, at) => {
    const other = right[at] as Version;
    const isSameDot = formatDot(version.dot) === formatDot(other.dot);
    return isSameDot && equalBytes(version.value.bytes, other.value.bytes);
  });
}

function originName({ epoch, restart }: Origin): string {
  return `${epoch}.${restart}`;
}

/** The time by which a node judges expiry now; asking it would move it. */
function nowOf(node: SimNode, replica: Replica): number {
  return hlcToMs(Math.max(replica.hlc, hlcFromMs(node.clock.nowMs())));
}
