import { FRAME, OPERATION, type FrameWriter } from "../channel/frames.js";
import { decodeJsonOperation, decodeWithin, operationKind } from "../channel/operations.js";
import { encodeErrorReply } from "../channel/replies.js";
import { EnokiError } from "../core/errors.js";
import {
  parseKeygroupName,
  type FunctionName,
  type KeygroupName,
  type NodeName,
} from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import { includesRight, type Right } from "../core/rights.js";
import type { Session } from "../core/session.js";
import type { TraceContext } from "../core/trace-context.js";
import type { Asker, SendOrigin } from "./asker.js";
import type { Grants } from "./grants.js";
import { rightsOfOperation } from "./operation-rights.js";
import type { SentSet } from "./sent-set.js";

/** Serves the operations of one instance on one keygroup. */
export interface KeygroupServer {
  serve(writer: FrameWriter, id: number, asker: Asker | undefined, payload: Buffer): void;
  /**
   * Sends a plain `set` to the node where the data are, once and without waiting; absent or `undefined`
   * = they are not elsewhere now, or not at `behind`: it is to be served like any other operation.
   */
  sendSet?(asker: Asker, payload: Buffer, behind: NodeName | undefined): SentSet | undefined;
  close(): void;
}

/** What {@link GrantedOperations} works with. */
export interface GrantedOperationsOptions {
  /** Whose instance it is. */
  readonly function: FunctionName;
  readonly own: KeygroupServer;
  /** Serves another keygroup for this instance. */
  readonly serverOf: (name: KeygroupName) => KeygroupServer;
  readonly grants: Pick<Grants, "rightsOf" | "subscribe">;
}

/** A watch of another keygroup, who serves it and nothing else, and whom to tell of its end. */
interface Watch {
  readonly keygroup: KeygroupName;
  readonly server: KeygroupServer;
  readonly writer: FrameWriter;
}

/**
 * The operations of one instance: on its function's keygroup all of them, on another one those for
 * which the function has been granted the right. That is looked up for each operation anew.
 *
 * Invariants: 1. Nothing is served of another keygroup without the right at that moment. 2. A watch of
 * one ends, with an error, when the right to read it does.
 */
export class GrantedOperations implements KeygroupServer {
  readonly #options: GrantedOperationsOptions;
  readonly #others = new Map<KeygroupName, KeygroupServer>();
  readonly #watches = new Map<number, Watch>();
  #unsubscribe: (() => void) | undefined;

  constructor(options: GrantedOperationsOptions) {
    this.#options = options;
  }

  serve(writer: FrameWriter, id: number, asker: Asker | undefined, payload: Buffer): void {
    const kind = operationKind(payload);
    if (kind === OPERATION.within) this.#serveWithin(writer, id, asker, payload);
    else if (kind === OPERATION.json && this.#watches.size > 0) {
      this.#serverOfWatch(payload).serve(writer, id, asker, payload);
    } else this.#options.own.serve(writer, id, asker, payload);
  }

  /** Of the own keygroup only: see {@link KeygroupServer}. */
  sendSet(asker: Asker, payload: Buffer, behind: NodeName | undefined): SentSet | undefined {
    return this.#options.own.sendSet?.(asker, payload, behind);
  }

  close(): void {
    this.#unsubscribe?.();
    this.#options.own.close();
    for (const server of this.#others.values()) server.close();
    for (const { server } of this.#watches.values()) server.close();
  }

  #serveWithin(writer: FrameWriter, id: number, asker: Asker | undefined, payload: Buffer): void {
    const { keygroup, operation } = decodeWithin(payload);
    const { own, function: asking } = this.#options;
    if (keygroup === (asking as string)) {
      own.serve(writer, id, asker, operation);
      return;
    }
    try {
      const name = parseKeygroupName(keygroup);
      this.#require(name, rightsOfOperation(operation));
      const server = isWatch(operation) ? this.#watch(writer, id, name) : this.#other(name);
      server.serve(writer, id, asker && new OtherAsker(asker), operation);
    } catch (error) {
      if (!(error instanceof EnokiError)) throw error;
      encodeErrorReply(writer, id, { ...error.extra, code: error.code, message: error.message });
    }
  }

  #require(name: KeygroupName, needed: readonly Right[]): void {
    const { grants, function: asking } = this.#options;
    const rights = grants.rightsOf(name, { kind: "function", id: asking });
    const missing = needed.filter((right) => !includesRight(rights, right));
    if (missing.length === 0) return;
    const what = missing.join(" and ");
    const detail = `function "${asking}" has no right to ${what} keygroup "${name}"`;
    throw new EnokiError("ENOKI_FORBIDDEN", detail, { rights: missing });
  }

  #watch(writer: FrameWriter, id: number, keygroup: KeygroupName): KeygroupServer {
    if (this.#watches.has(id) || this.#watches.size >= LIMITS.watchesPerInstanceMax) {
      const most = LIMITS.watchesPerInstanceMax;
      const detail = `an instance has at most ${most} watches, each with an id of its own`;
      throw new EnokiError("ENOKI_INVALID_INPUT", detail);
    }
    this.#follow();
    const server = this.#options.serverOf(keygroup);
    this.#watches.set(id, { keygroup, server, writer });
    return server;
  }

  #follow(): void {
    this.#unsubscribe ??= this.#options.grants.subscribe((changed) => this.#look(changed));
  }

  #other(name: KeygroupName): KeygroupServer {
    this.#follow();
    const server = this.#others.get(name) ?? this.#options.serverOf(name);
    this.#others.set(name, server);
    return server;
  }

  /** An `unwatch` names the watch alone: it belongs where that was begun. */
  #serverOfWatch(payload: Buffer): KeygroupServer {
    const { own } = this.#options;
    const { op, watch } = decodeJsonOperation(payload);
    if (op !== "unwatch" || typeof watch !== "number") return own;
    const server = this.#watches.get(watch)?.server;
    this.#watches.delete(watch);
    return server ?? own;
  }

  /** Rights on a keygroup may have changed: what goes on without being asked ends with the right. */
  #look(name: KeygroupName): void {
    try {
      this.#require(name, ["read"]);
    } catch (error) {
      if (!(error instanceof EnokiError)) throw error;
      // Made again for the next operation that is granted: it may be another keygroup then. What is
      // under way is still answered.
      this.#others.delete(name);
      this.#endWatches(name, error);
    }
  }

  #endWatches(name: KeygroupName, { code, message }: EnokiError): void {
    for (const [id, { keygroup, server, writer }] of this.#watches) {
      if (keygroup !== name) continue;
      this.#watches.delete(id);
      server.close();
      writer.frame(FRAME.event, id, JSON.stringify({ error: { code, message } }));
    }
  }
}

function isWatch(operation: Buffer): boolean {
  return (
    operationKind(operation) === OPERATION.json && decodeJsonOperation(operation)["op"] === "watch"
  );
}

/**
 * A call as it asks for another keygroup: sessions are about the function's own one, so they neither
 * send it elsewhere nor remember what it sees there.
 */
class OtherAsker implements Asker {
  readonly #asker: Asker;
  readonly session: Session | undefined = undefined;
  readonly isElsewhere = false;

  constructor(asker: Asker) {
    this.#asker = asker;
  }

  get idBytes(): Uint8Array | undefined {
    return this.#asker.idBytes;
  }

  get trace(): TraceContext | undefined {
    return this.#asker.trace;
  }

  get origin(): SendOrigin | undefined {
    return this.#asker.origin;
  }

  noteRead(boundMs: number): void {
    this.#asker.noteRead(boundMs);
  }

  noteSeen(): void {}
}
