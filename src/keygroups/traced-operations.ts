import { FRAME, OPERATION, type FrameWriter } from "../channel/frames.js";
import {
  decodeFresh,
  decodeJsonOperation,
  decodeWithin,
  operationKind,
} from "../channel/operations.js";
import { decodeErrorReply, isErrorReply } from "../channel/replies.js";
import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import type { Session } from "../core/session.js";
import { withTrace, type TraceContext } from "../core/trace-context.js";
import type { Span, SpanKind, Tracer } from "../ports/tracer.js";
import type { Asker, SendOrigin } from "./asker.js";
import type { KeygroupServer } from "./granted-operations.js";
import { Replies, type Reply } from "./replies.js";
import type { SentSet } from "./sent-set.js";

/** What the operations of an instance, or of other nodes, are recorded with. */
export interface TracedOperationsOptions {
  readonly own: KeygroupServer;
  readonly tracer: Tracer;
  /** The keygroup of operations that name none. */
  readonly keygroup: string;
  readonly kind: SpanKind;
}

const NAMES = new Map<number, string>(
  Object.entries(OPERATION).map(([name, number]) => [number, name]),
);

/** Operations that go on after their answer: they belong to no call. */
const LASTING = new Set(["watch", "unwatch"]);

/** Serves operations as another one does, with a span for each that a traced call asks for. */
export class TracedOperations implements KeygroupServer {
  readonly #options: TracedOperationsOptions;
  readonly #replies = new Replies();

  constructor(options: TracedOperationsOptions) {
    this.#options = options;
  }

  serve(writer: FrameWriter, id: number, asker: Asker | undefined, payload: Buffer): void {
    const { own } = this.#options;
    const asked = asker?.trace && this.#describe(payload);
    if (!asker || !asked || LASTING.has(asked.operation)) {
      own.serve(writer, id, asker, payload);
      return;
    }
    const { span, part } = this.#start(asker, asked);
    this.#replies.take(
      (tap, tapId) => own.serve(tap, tapId, part, payload),
      (reply) => {
        span?.end(failureOf(reply));
        writer.begin(reply.type, id);
        writer.bytes(reply.payload);
        writer.end();
      },
    );
  }

  sendSet(asker: Asker, payload: Buffer, behind: NodeName | undefined): SentSet | undefined {
    const { own } = this.#options;
    if (!asker.trace) return own.sendSet?.(asker, payload, behind);
    const { span, part } = this.#start(asker, this.#describe(payload));
    const sent = own.sendSet?.(part, payload, behind);
    sent?.stored.then(
      (isStored) => span?.end(isStored ? undefined : "ENOKI_PEER_UNREACHABLE"),
      (error: unknown) => span?.end(error instanceof EnokiError ? error.code : "ENOKI_INTERNAL"),
    );
    return sent;
  }

  close(): void {
    this.#options.own.close();
  }

  #describe(payload: Buffer): Asked {
    return describe(payload, this.#options.keygroup);
  }

  #start(
    asker: Asker,
    { operation, keygroup }: Asked,
  ): { readonly span: Span | undefined; readonly part: Asker } {
    const { tracer, kind } = this.#options;
    const span = tracer.start({
      name: `kv.${operation}`,
      kind,
      parent: asker.trace,
      attributes: {
        "db.system.name": "enoki",
        "db.operation.name": operation,
        "db.namespace": keygroup,
      },
    });
    return { span, part: span ? new PartAsker(asker, span.context) : asker };
  }
}

/** An operation, as its span names it. */
interface Asked {
  readonly operation: string;
  readonly keygroup: string;
}

/** @throws ChannelError for what is no operation */
function describe(payload: Buffer, keygroup: string): Asked {
  const kind = operationKind(payload);
  if (kind === OPERATION.within) {
    const within = decodeWithin(payload);
    return describe(within.operation, within.keygroup);
  }
  if (kind === OPERATION.fresh) return describe(decodeFresh(payload).read, keygroup);
  if (kind !== OPERATION.json) return { operation: NAMES.get(kind) ?? "unknown", keygroup };
  const { op } = decodeJsonOperation(payload);
  return { operation: typeof op === "string" ? op.slice(0, 32) : "unknown", keygroup };
}

function failureOf({ type, payload }: Reply): string | undefined {
  if (type !== FRAME.reply || !isErrorReply(payload)) return undefined;
  return String(decodeErrorReply(payload)["code"]);
}

/** A call, as one of its operations asks on its behalf: what follows is a part of that. */
class PartAsker implements Asker {
  readonly #asker: Asker;
  readonly trace: TraceContext;

  constructor(asker: Asker, trace: TraceContext) {
    this.#asker = asker;
    this.trace = trace;
  }

  get idBytes(): Uint8Array | undefined {
    return this.#asker.idBytes;
  }

  get session(): Session | undefined {
    return this.#asker.session;
  }

  get isElsewhere(): boolean {
    return this.#asker.isElsewhere;
  }

  get origin(): SendOrigin | undefined {
    const { origin } = this.#asker;
    return origin && { ...origin, headers: withTrace(origin.headers, this.trace) };
  }

  noteRead(boundMs: number): void {
    this.#asker.noteRead(boundMs);
  }

  noteSeen(session: Session): void {
    this.#asker.noteSeen(session);
  }
}
