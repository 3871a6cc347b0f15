import { beforeEach, describe, expect, test } from "vitest";

import { OPERATION, type FrameWriter } from "../../../src/channel/frames.js";
import {
  encodeKeyOperation,
  encodeSet,
  isPlainSet,
  operationKind,
} from "../../../src/channel/operations.js";
import {
  decodeErrorReply,
  encodeErrorReply,
  encodeSetReply,
  isErrorReply,
} from "../../../src/channel/replies.js";
import { EnokiError } from "../../../src/core/errors.js";
import { parseNodeName } from "../../../src/core/ids.js";
import { EarlyWrites } from "../../../src/functions/early-writes.js";
import type { OperationServer } from "../../../src/functions/operations-port.js";
import type { Call } from "../../../src/functions/call.js";
import { Replies, type Reply } from "../../../src/keygroups/replies.js";
import { makeCall } from "./calls.js";

const CLOUD = parseNodeName("cloud");
const EDGE = parseNodeName("edge");
const TAG_STR = 1;

/** Payload of the frame that `encode` writes. */
async function payloadOf(encode: (writer: FrameWriter, id: number) => void): Promise<Buffer> {
  return (await new Replies().next(encode)).payload;
}

/** A set that was sent without waiting, and the way to end it. */
interface Sent {
  readonly key: string;
  readonly stored: () => void;
  readonly undone: () => void;
  readonly fails: (error: EnokiError) => void;
}

/** Keygroups on another node, as an instance sees them; the test decides what becomes of each set. */
class FarKeygroup implements OperationServer {
  readonly sent: Sent[] = [];
  /** Kind of each operation that was served like any other, in order. */
  readonly served: string[] = [];
  to = CLOUD;
  isHere = false;
  refusal: EnokiError | undefined;

  serve(writer: FrameWriter, id: number, _asker: unknown, payload: Buffer): void {
    this.served.push(`${operationKind(payload)} ${keyOf(payload)}`);
    const { refusal } = this;
    if (refusal) encodeErrorReply(writer, id, { code: refusal.code, message: refusal.message });
    else encodeSetReply(writer, id, "v1");
  }

  sendSet(_asker: unknown, payload: Buffer, behind: string | undefined) {
    if (this.isHere || (behind !== undefined && behind !== this.to)) return undefined;
    let ends: Omit<Sent, "key"> | undefined;
    const stored = new Promise<boolean>((resolve, reject) => {
      ends = { stored: () => resolve(true), undone: () => resolve(false), fails: reject };
    });
    this.sent.push({ key: keyOf(payload), ...(ends as Omit<Sent, "key">) });
    return { to: this.to, stored };
  }

  close(): void {}
}

function keyOf(payload: Buffer): string {
  const at = operationKind(payload) === OPERATION.set ? 6 : 5;
  return payload.toString("utf8", at + 2, at + 2 + payload.readUInt16LE(at));
}

let far: FarKeygroup;
let early: EarlyWrites;
let call: Call;
/** Answers that the instance got, by a name for each operation. */
let answers: string[];
const replies = new Replies();

beforeEach(() => {
  far = new FarKeygroup();
  early = new EarlyWrites(far);
  ({ call } = makeCall());
  answers = [];
});

/** Asks for an operation of the call, and notes its answer. */
function ask(name: string, payload: Buffer, by: Call | undefined = call): void {
  const taken = ({ payload: reply }: Reply): void => {
    const code = isErrorReply(reply) ? ` ${String(decodeErrorReply(reply)["code"])}` : "";
    answers.push(`${name}${code}`);
  };
  replies.take((writer, id) => early.serve(far, writer, id, by, payload), taken);
}

const setOf = (key: string, options: object = {}): Promise<Buffer> =>
  payloadOf((writer, id) =>
    encodeSet(writer, id, 7, { key, tag: TAG_STR, value: "x", ...options }),
  );
const getOf = (key: string): Promise<Buffer> =>
  payloadOf((writer, id) => encodeKeyOperation(writer, id, 7, OPERATION.get, key));

/** Lets everything happen that waits for nothing. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const state = async (): Promise<unknown> => {
  const settled = early.settled(call);
  if (!settled) return "nothing to wait for";
  return Promise.race([
    settled.then((failure) => failure ?? "acknowledged"),
    settle().then(() => "waits"),
  ]);
};

describe("a plain set to another node", () => {
  test("is answered once it is sent, and the next one is sent behind it", async () => {
    ask("a", await setOf("a"));
    ask("b", await setOf("b", { ttlMs: 1000 }));
    expect(answers).toEqual(["a", "b"]);
    expect(far.sent.map(({ key }) => key)).toEqual(["a", "b"]);
    expect(await state()).toBe("waits");
    far.sent[0]?.stored();
    expect(await state()).toBe("waits");
    far.sent[1]?.stored();
    expect(await state()).toBe("acknowledged");
    expect(await state()).toBe("nothing to wait for");
  });

  test("is waited for by whatever else the call asks for", async () => {
    ask("a", await setOf("a"));
    ask("get", await getOf("a"));
    ask("conditional", await setOf("b", { ifAbsent: true }));
    ask("c", await setOf("c"));
    await settle();
    expect(answers).toEqual(["a"]);
    expect(far.served).toEqual([]);
    far.sent[0]?.stored();
    await settle();
    expect(answers).toEqual(["a", "get", "conditional", "c"]);
    expect(far.served).toEqual([`${OPERATION.get} a`, `${OPERATION.set} b`]);
    expect(far.sent.map(({ key }) => key)).toEqual(["a", "c"]);
  });

  test("is waited for by calls and messages to other functions", async () => {
    const sent: Buffer[] = [];
    const calls = {
      serve: (_writer: unknown, _id: number, _call: unknown, payload: Buffer) =>
        void sent.push(payload),
    };
    ask("a", await setOf("a"));
    const message = Buffer.from([7, 0, 0, 0, OPERATION.send]);
    replies.take(
      (writer, id) => early.serve(calls, writer, id, call, message),
      () => {},
    );
    await settle();
    expect(sent).toEqual([]);
    far.sent[0]?.stored();
    await settle();
    expect(sent).toEqual([message]);
  });

  test("is not waited for by other calls", async () => {
    ask("a", await setOf("a"));
    ask("get", await getOf("b"), makeCall().call);
    ask("outside", await setOf("b"), undefined);
    expect(answers).toEqual(["a", "get", "outside"]);
  });

  test("that fails makes the call fail, and nothing more is done for it", async () => {
    ask("a", await setOf("a"));
    ask("get", await getOf("a"));
    far.sent[0]?.fails(new EnokiError("ENOKI_OUTCOME_UNKNOWN", "the link broke"));
    await settle();
    ask("b", await setOf("b"));
    await settle();
    expect(answers).toEqual([
      "a",
      "get ENOKI_WRITE_UNACKNOWLEDGED",
      "b ENOKI_WRITE_UNACKNOWLEDGED",
    ]);
    expect(far.sent).toHaveLength(1);
    expect(far.served).toEqual([]);
    expect(await state()).toMatchObject({
      code: "ENOKI_WRITE_UNACKNOWLEDGED",
      extra: { cause: "ENOKI_OUTCOME_UNKNOWN" },
    });
  });
});

describe("a set that was certainly not stored", () => {
  test("is sent again like any other, with those behind it, in their order", async () => {
    for (const key of ["a", "b", "c"]) ask(key, await setOf(key));
    far.sent[0]?.stored();
    far.sent[2]?.undone();
    far.sent[1]?.undone();
    expect(await state()).toBe("acknowledged");
    expect(far.served).toEqual([`${OPERATION.set} b`, `${OPERATION.set} c`]);
  });

  test("is not sent again when one behind it is stored: the call fails", async () => {
    for (const key of ["a", "b"]) ask(key, await setOf(key));
    far.sent[0]?.undone();
    far.sent[1]?.stored();
    expect(await state()).toMatchObject({ code: "ENOKI_WRITE_UNACKNOWLEDGED" });
    expect(far.served).toEqual([]);
  });

  test("lets the next one wait, so that this is sent behind it", async () => {
    ask("a", await setOf("a"));
    far.sent[0]?.undone();
    await settle();
    ask("b", await setOf("b"));
    await settle();
    expect(far.served).toEqual([`${OPERATION.set} a`]);
    expect(far.sent.map(({ key }) => key)).toEqual(["a", "b"]);
  });

  test("and is refused the next time: the call fails", async () => {
    ask("a", await setOf("a"));
    far.refusal = new EnokiError("ENOKI_PEER_UNREACHABLE", "no link");
    far.sent[0]?.undone();
    expect(await state()).toMatchObject({ extra: { cause: "ENOKI_PEER_UNREACHABLE" } });
  });

  test("is not sent again once the instance has ended", async () => {
    ask("a", await setOf("a"));
    early.close();
    far.sent[0]?.undone();
    expect(await state()).toMatchObject({ code: "ENOKI_WRITE_UNACKNOWLEDGED" });
    expect(far.served).toEqual([]);
  });
});

describe("a set waits like any other", () => {
  test("where the data are here", async () => {
    far.isHere = true;
    ask("a", await setOf("a"));
    expect(far.served).toEqual([`${OPERATION.set} a`]);
    expect(await state()).toBe("nothing to wait for");
  });

  test("when it would go to another node than those before it", async () => {
    ask("a", await setOf("a"));
    far.to = EDGE;
    ask("b", await setOf("b"));
    expect(answers).toEqual(["a"]);
    far.sent[0]?.stored();
    await settle();
    expect(answers).toEqual(["a", "b"]);
  });

  test("when it has a condition", async () => {
    for (const options of [{ ifAbsent: true }, { ifVersion: "v" }]) {
      expect(isPlainSet(await setOf("a", options))).toBe(false);
    }
    expect(isPlainSet(await getOf("a"))).toBe(false);
    expect(isPlainSet(await setOf("a", { ttlMs: 5 }))).toBe(true);
  });

  test("when as many of its instance are on their way as may be", async () => {
    const { call: other } = makeCall();
    for (let n = 0; n < 64; n++) ask(String(n), await setOf("a"), n % 2 ? call : other);
    expect(far.sent).toHaveLength(64);
    ask("full", await setOf("b"), makeCall().call);
    expect(far.served).toEqual([`${OPERATION.set} b`]);
    for (const { stored } of far.sent) stored();
    await settle();
    ask("room", await setOf("c"));
    expect(far.sent).toHaveLength(65);
  });
});

test("what was asked for is kept, though its bytes are written over", async () => {
  const frames = [await setOf("a"), await getOf("a")];
  for (const frame of frames) {
    ask("", frame);
    frame.fill(0);
  }
  far.sent[0]?.undone();
  await settle();
  expect(far.served).toEqual([`${OPERATION.set} a`, `${OPERATION.get} a`]);
});
