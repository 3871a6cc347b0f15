import { expect } from "vitest";

import { FrameReader, FrameWriter } from "../../../src/channel/frames.js";

/** Writes with `write`, reads the one frame back and returns its payload. */
export function payloadOf(write: (writer: FrameWriter) => void): Buffer {
  const chunks: Buffer[] = [];
  const sink = { writableLength: 0, write: (chunk: Uint8Array) => chunks.push(Buffer.from(chunk)) };
  const writer = new FrameWriter(sink, { schedule: null });
  write(writer);
  writer.flush();
  const payloads: Buffer[] = [];
  new FrameReader().push(Buffer.concat(chunks), (_type, _id, payload) => payloads.push(payload));
  expect(payloads).toHaveLength(1);
  return payloads[0] as Buffer;
}
