import { equalBytes } from "../../base/bytes.js";
import { createPrng, type Prng } from "../../base/prng.js";
import { equalDots, formatDot, parseDot } from "../../core/dot.js";
import { hlcFromMs, hlcToMs } from "../../core/hlc.js";
import type { Version } from "../../core/item.js";
import type { Replica } from "../../core/replica.js";
import { versionToken, visibleVersions } from "../../core/visible.js";
import type { SimNode } from "../cluster/node.js";
import type { OracleContext } from "./context.js";
import { vectorText } from "./texts.js";

/** How many transactions are checked in full: the others by the keys that they touched. */
const FULL_CHECK_RATE = 0.04;

/** What a replica shows is a function of what it has applied: no more, no less, nothing deleted. */
export class VisibleState {
  readonly #at: OracleContext;
  readonly #random: Prng;

  constructor(at: OracleContext) {
    this.#at = at;
    this.#random = createPrng(at.plan.seed + 7);
  }

  /** Looks at the keys that a transaction has touched; `undefined` = any. */
  stepped(node: SimNode, replica: Replica, touched: readonly Uint8Array[] | undefined): void {
    const isFull = touched === undefined || this.#random.next() < FULL_CHECK_RATE;
    for (const key of isFull ? this.#at.keys : touched) this.#check(node, replica, key);
  }

  /** Looks at every key. */
  checkAll(node: SimNode, replica: Replica): void {
    for (const key of this.#at.keys) this.#check(node, replica, key);
  }

  /** A client was shown the versions `token` of a key by the replica of that node. */
  read(node: SimNode, replica: Replica, key: Uint8Array, token: string | undefined): void {
    const { ghosts, plan, broken } = this.#at;
    const want = ghosts.visible(plan.config.policy, replica.vector, key, nowOf(node, replica));
    const wanted = want.length === 0 ? undefined : versionToken(want);
    if (token !== wanted) broken(`READ n${node.index} shows ${token}, not ${wanted}`);
  }

  /** A client was shown the versions `token` of a key by a replica whose state is not known any more. */
  readElsewhere(key: Uint8Array, token: string | undefined): void {
    const { ghosts, broken } = this.#at;
    for (const name of token?.split("+") ?? []) {
      const dot = parseDot(name);
      const ghost = dot && ghosts.of(dot);
      const isWritten = ghost?.update.entries.some((entry) => equalBytes(entry.key, key));
      if (!isWritten) broken(`READ elsewhere shows ${name}, which was never written`);
    }
  }

  #check(node: SimNode, replica: Replica, key: Uint8Array): void {
    const { ghosts, plan, broken } = this.#at;
    const { policy } = plan.config;
    const nowMs = nowOf(node, replica);
    const have = visibleVersions(policy, replica.read(node.disk.rows, key), nowMs);
    const want = ghosts.visible(policy, replica.vector, key, nowMs);
    if (isSame(have, want)) return;
    const where = `n${node.index} ${String.fromCharCode(...key)}`;
    for (const { dot } of have) {
      const by = ghosts.deleteOf(replica.vector, key, dot);
      if (!by || want.some((version) => equalDots(version.dot, dot))) continue;
      broken(
        `RESURRECTED ${where} shows ${formatDot(dot)}, deleted by ${formatDot(by.update.dot)}`,
      );
    }
    const text = `STATE ${where} shows [${names(have)}], not [${names(want)}]`;
    broken(`${text} at ${vectorText(replica.vector)}`);
  }
}

function names(versions: readonly Version[]): string {
  return versions.map(({ dot }) => formatDot(dot)).join(" ");
}

function isSame(left: readonly Version[], right: readonly Version[]): boolean {
  if (left.length !== right.length) return false;
  return left.every((version, at) => {
    const other = right[at] as Version;
    return equalDots(version.dot, other.dot) && equalBytes(version.value.bytes, other.value.bytes);
  });
}

/** The time by which a node judges expiry now; asking it would move it. */
function nowOf(node: SimNode, replica: Replica): number {
  return hlcToMs(Math.max(replica.hlc, hlcFromMs(node.clock.nowMs())));
}
