import { describe, expect, test } from "vitest";

import { FRAME, OPERATION, type FrameWriter } from "../../../src/channel/frames.js";
import { encodeJsonOperation, encodeKeyOperation } from "../../../src/channel/operations.js";
import { decodeErrorReply, isErrorReply } from "../../../src/channel/replies.js";
import { parseKeygroupName, parseNodeName } from "../../../src/core/ids.js";
import { encodeAnswer } from "../../../src/keygroups/remote/operation-request.js";
import { RoutedOperations } from "../../../src/keygroups/remote/routed-operations.js";
import type { PeerRequests } from "../../../src/peers/requests.js";
import { systemClock } from "../../../src/ports/clock.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { framesTo } from "../../helpers/keygroup-node.js";

/** Asks a member that answers an operation and a watch with these bytes; resolves with what the instance gets. */
function ask(bytes: Uint8Array, encode: (writer: FrameWriter) => void): Promise<object> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  const requests = { request: async () => bytes, stream: pieces };
  const operations = new RoutedOperations({
    keygroup: parseKeygroupName("kg"),
    serving: () => undefined,
    members: () => [parseNodeName("mallory")],
    requests: requests as unknown as PeerRequests,
    clock: systemClock,
    logger: silentLogger,
  });
  return new Promise((resolve, reject) => {
    const back = framesTo((type, _id, payload) => {
      if (type !== FRAME.reply || !isErrorReply(payload)) reject(new Error(`a frame ${type}`));
      else resolve(decodeErrorReply(payload));
    });
    encode(framesTo((_type, id, payload) => operations.serve(back, id, undefined, payload)));
  });
}

const answer = (type: number, ...payload: number[]): Uint8Array =>
  encodeAnswer({ type, payload: Buffer.from(payload), stalenessMs: undefined, session: "" });

const frame = (type: number, ...payload: number[]): Uint8Array => {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(5 + payload.length);
  head[4] = type;
  return new Uint8Array(Buffer.concat([head, Buffer.from(payload)]));
};

/** An instance and its node go on, whatever a member sends: it is one operation that fails. */
describe("a member that answers with what no replica answers", () => {
  test.each([
    ["nothing", new Uint8Array()],
    ["a part of a head", new Uint8Array(5)],
    [
      "a token that is cut",
      encodeAnswer({
        type: FRAME.reply,
        payload: Buffer.alloc(0),
        stalenessMs: 1,
        session: "x",
      }).subarray(0, 11),
    ],
    ["an empty reply", answer(FRAME.reply)],
    ["an error that is no JSON", answer(FRAME.reply, 1, 0x7b)],
    ["an error that is no object", answer(FRAME.reply, 1, 0x31)],
    ["a call", answer(FRAME.invoke, 0, 0)],
  ])("an operation: %s", async (_what, bytes) => {
    const refused = ask(bytes, (writer) => encodeKeyOperation(writer, 1, 0, OPERATION.get, "k"));
    expect(await refused).toMatchObject({ code: "ENOKI_PROTOCOL" });
  });

  test.each([
    ["a frame of impossible length", new Uint8Array([255, 255, 255, 255, 1, 0, 0, 0, 0])],
    ["a call", frame(FRAME.invoke, 0, 0)],
  ])("a watch: %s", async (_what, bytes) => {
    const refused = ask(bytes, (writer) =>
      encodeJsonOperation(writer, 1, 0, { op: "watch", start: "" }),
    );
    expect(await refused).toMatchObject({ code: "ENOKI_PROTOCOL" });
  });
});
