import { FRAME, OPERATION, type FrameWriter } from "../channel/frames.js";
import {
  decodeFresh,
  decodeJsonOperation,
  decodeWithin,
  operationKind,
} from "../channel/operations.js";
import { decodeErrorReply, isErrorReply } from "../channel/replies.js";
import type { Session } from "../core/session.js";
import { withTrace, type TraceContext } from "../core/trace-context.js";
import type { SpanKind, Tracer } from "../ports/tracer.js";
import type { Asker, SendOrigin } from "./asker.js";
import type { KeygroupServer } from "./granted-operations.js";
import { Replies, type Reply } from "./replies.js";

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
    const { own, tracer, keygroup, kind } = this.#options;
    const parent = asker?.trace;
    const asked = parent && describe(payload, keygroup);
    if (!asker || !asked || LASTING.has(asked.operation)) {
      own.serve(writer, id, asker, payload);
      return;
    }
    const span = tracer.start({
      name: `kv.${asked.operation}`,
      kind,
      parent,
      attributes: {
        "db.system.name": "enoki",
        "db.operation.name": asked.operation,
        "db.namespace": asked.keygroup,
      },
    });
    const part = span ? new PartAsker(asker, span.context) : asker;
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

  close(): void {
    this.#options.own.close();
  }
}

/** @throws ChannelError for what is no operation */
function describe(
  payload: Buffer,
  keygroup: string,
): { readonly operation: string; readonly keygroup: string } {
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
