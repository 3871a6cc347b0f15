import type { Prng } from "../../base/prng.js";
import { EnokiError } from "../../core/errors.js";
import { utf8Bytes } from "../../core/text.js";
import type { Keygroup } from "../../keygroups/keygroup.js";
import type { WriteRequest } from "../../keygroups/types.js";
import type { FaultyParts } from "../cluster/node-parts.js";
import type { SimNode } from "../cluster/node.js";
import { FUNCTION } from "../cluster/process.js";
import type { VirtualTime } from "../cluster/virtual-time.js";
import type { Checker } from "../oracles/checker.js";
import { writerId, type Ghost } from "../oracles/ghost-log.js";
import type { Plan } from "../plan.js";
import { drawWrite, keysOf } from "./operations.js";
import { callElsewhere } from "./remote-call.js";
import { Tokens, type CallKind } from "./tokens.js";

/** What a client is made from. */
export interface ClientParts {
  readonly id: number;
  /** It carries what it has seen from node to node; without that it takes each replica as it is. */
  readonly hasSession: boolean;
  /** How much more than the truth it may be told of staleness; anything, if that is not given. */
  readonly slackMs?: number | undefined;
  readonly random: Prng;
  readonly time: VirtualTime;
  readonly plan: Plan;
  readonly nodes: readonly SimNode[];
  readonly checker: Checker;
  readonly faulty: FaultyParts;
  readonly happened: (what: string) => void;
}

/** How long a call waits for what its session has seen, and a client for an answer. */
const SESSION_WAIT_MS = 150;
const PATIENCE_MS = 400;

/** A node went down, or gave its replica up, in the middle of a call. */
class CallIsLost extends Error {
  override readonly name = "CallIsLost";
}

/** One client: it calls a function that reads and writes, at one node after the other. */
export class Client {
  readonly #parts: ClientParts;
  readonly #keys: readonly string[];
  readonly #tokens: Tokens;
  #writes = 0;
  #isOver = false;

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.#keys = keysOf(parts.plan);
    this.#tokens = new Tokens(parts.faulty.token);
    this.#later();
  }

  /** Does no more. */
  stop(): void {
    this.#isOver = true;
  }

  #later(): void {
    const { time, random, nodes } = this.#parts;
    time.after(5 + random.next() * 55, () => {
      if (this.#isOver) return;
      void this.#call(random.pick(nodes)).finally(() => this.#later());
      time.settled();
    });
  }

  async #call(node: SimNode): Promise<void> {
    const { random, checker, happened } = this.#parts;
    if (!node.isUp) return;
    try {
      if (!node.isServing) await this.#callElsewhere(node);
      else await this.#callHere(node, random.pick(["read", "read", "write", "write", "both"]));
    } catch (error) {
      if (error instanceof CallIsLost) happened("call.lost");
      else if (error instanceof EnokiError) happened(`refused.${error.code}`);
      else checker.fail(error);
    }
  }

  /** A call of a function on a node whose replica serves. */
  async #callHere(node: SimNode, kind: CallKind): Promise<void> {
    const { id, hasSession, random, time, checker } = this.#parts;
    const process = node.process;
    if (!process) throw new CallIsLost();
    const token = hasSession ? this.#tokens.of(kind) : "";
    if (token !== "") await this.#enter(node, token);
    // Some functions compute before they read.
    if (random.next() < 0.2) await time.sleep(random.next() * 20);
    const keygroup = node.serving;
    if (!keygroup || node.process !== process) throw new CallIsLost();
    const seen: Ghost[] = [];
    const key = random.pick(this.#keys);
    const version = kind === "write" ? undefined : this.#read(node, keygroup, key, seen);
    if (kind === "read" && random.next() < 0.3) {
      this.#read(node, keygroup, random.pick(this.#keys), seen);
    }
    let wrote: Ghost | undefined;
    if (kind !== "read") wrote = await this.#write(node, keygroup, key, kind, version);
    if (!hasSession) {
      checker.sessions.noted(id, seen, wrote);
      return;
    }
    if (node.process !== process) throw new CallIsLost();
    const after = process.sessions.marks(FUNCTION, {
      session: token === "" ? undefined : process.sessions.read(token),
      isElsewhere: false,
      stalenessMs: undefined,
      hasReadDirectly: false,
      startedMs: 0,
    }).session;
    const kept = new Promise<true>((resolve) => {
      process.sessions.whenKept(FUNCTION, () => resolve(true));
    });
    const isKept = await time.within(kept, PATIENCE_MS, true);
    if (isKept !== true || node.process !== process) throw new CallIsLost();
    checker.sessions.answered(id, seen, wrote);
    if (after !== undefined) this.#tokens.note(kind, after);
  }

  /** Waits until the node shows what the session has seen. */
  async #enter(node: SimNode, token: string): Promise<void> {
    const { id, random, time, checker, happened } = this.#parts;
    const sessions = node.process?.sessions;
    const entered = sessions?.enter(FUNCTION, sessions.read(token), SESSION_WAIT_MS);
    if (!entered) return;
    happened("session.waits");
    try {
      const isIn = await time.within(
        entered.then(() => true),
        PATIENCE_MS,
        true,
      );
      if (isIn !== true) throw new CallIsLost();
      happened("session.reached");
    } catch (error) {
      // What it has seen may be gone for good: then it begins anew, be it without having been told.
      const isLost = error instanceof EnokiError && error.code === "ENOKI_SESSION_LOST";
      if (isLost || random.next() < 0.1) {
        this.#tokens.clear();
        checker.sessions.begins(id);
      }
      throw error;
    }
  }

  /** Reads a key, and returns its version for a condition; `seen`: what that shows of its history. */
  #read(node: SimNode, keygroup: Keygroup, key: string, seen: Ghost[]): string | null {
    const { id, hasSession, slackMs, checker, happened } = this.#parts;
    const { replica } = keygroup;
    const keyBytes = utf8Bytes(key);
    const entry = keygroup.entry(key);
    happened("client.read");
    checker.read(node, replica, keyBytes, entry?.version);
    if (node.replicator) checker.bounded(node, node.replicator.stalenessMs(), slackMs);
    if (hasSession) checker.sessions.reads(id, replica.vector);
    else happened(checker.sessions.lacks(id, replica.vector) ? "local.stale" : "local.current");
    seen.push(...checker.ghosts.appliedTo(replica.vector, keyBytes));
    return entry?.version ?? null;
  }

  async #write(
    node: SimNode,
    keygroup: Keygroup,
    key: string,
    kind: CallKind,
    version: string | null | undefined,
  ): Promise<Ghost | undefined> {
    const { id, hasSession, random, time, checker, happened } = this.#parts;
    const { process } = node;
    const writer = this.#nextWriter();
    const writes = [drawWrite(random, key, this.#text)];
    if (random.next() < 0.2) writes.push(drawWrite(random, random.pick(this.#keys), this.#text));
    const request: WriteRequest = {
      writes,
      writer,
      ...(kind === "both" && version !== undefined && { checks: [{ key, version }] }),
    };
    const isDone = await time.within(
      new Promise<boolean>((resolve, reject) => {
        keygroup.submit(
          request,
          () => {
            happened("client.write");
            const isSure = writes.some(({ op }) => op === "set");
            const ghost = checker.writes.acknowledged(writer, isSure, node);
            if (ghost && hasSession) checker.sessions.wrote(id, ghost);
            resolve(true);
            time.settled();
          },
          (error) => {
            if (error instanceof EnokiError) checker.writes.refused(writer);
            reject(error as Error);
            time.settled();
          },
        );
      }),
      PATIENCE_MS,
      false,
    );
    if (isDone !== true || node.process !== process) throw new CallIsLost();
    return checker.ghosts.ofWriter(writer);
  }

  /** A call on a node without a serving replica: it takes place elsewhere, if anywhere. */
  async #callElsewhere(node: SimNode): Promise<void> {
    const { random, time, checker, happened } = this.#parts;
    const key = random.pick(this.#keys);
    const writer = this.#nextWriter();
    const write = random.next() < 0.5 ? drawWrite(random, key, this.#text) : undefined;
    const call = callElsewhere(node, { key, write, writer, checker });
    const outcome = await time.within(call, PATIENCE_MS, true);
    happened(`remote.${outcome ?? "unanswered"}`);
  }

  get #text(): string {
    return `${this.#parts.id}.${this.#writes}`;
  }

  #nextWriter(): Uint8Array {
    this.#writes += 1;
    return writerId(this.#parts.id, this.#writes);
  }
}
