import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChannelError, FrameReader, FrameWriter } from "../../../src/channel/frames.js";
import { LIMITS } from "../../../src/core/limits.js";

type Frame = { type: number; id: number; payload: string };

class Sink {
  chunks: Buffer[] = [];
  writableLength = 0;
  corked = 0;
  write(chunk: Uint8Array): boolean {
    this.chunks.push(Buffer.from(chunk));
    return true;
  }
  cork(): void {
    this.corked += 1;
  }
  uncork(): void {}
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

function read(chunks: readonly Buffer[]): Frame[] {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    reader.push(chunk, (type, id, payload) =>
      frames.push({ type, id, payload: payload.toString("latin1") }),
    );
  }
  expect(reader.isEmpty).toBe(true);
  return frames;
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((c) => c % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

function frameOf(lengthBytes: number): Buffer {
  const header = Buffer.alloc(9);
  header.writeUInt32LE(lengthBytes, 0);
  return header;
}

describe("frames", () => {
  it("come back the same however the stream is cut and however the payload was written", () => {
    const part = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 60_000, max: 70_000 }).map((n) => new Uint8Array(n).fill(n)),
      fc.integer({ min: 10_000, max: 30_000 }).map((n) => "é".repeat(n)),
    );
    const frame = fc.record({
      type: fc.nat(255),
      id: fc.nat(0xffffffff),
      parts: fc.array(part, { maxLength: 4 }),
      flush: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.boolean(),
        (frames, cuts, busy) => {
          const sink = new Sink();
          sink.writableLength = busy ? 1 : 0;
          const writer = new FrameWriter(sink, { schedule: null });
          for (const { type, id, parts, flush } of frames) {
            writer.frame(type, id, ...parts);
            if (flush) writer.flush();
          }
          writer.flush();
          const expected = frames.map(({ type, id, parts }) => ({
            type,
            id,
            payload: Buffer.concat(parts.map((p) => Buffer.from(p as string))).toString("latin1"),
          }));
          expect(read(cut(sink.bytes, cuts))).toEqual(expected);
          expect(writer.bytesTotal).toBe(sink.bytes.length);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("of one turn leave in one write", async () => {
    const sink = new Sink();
    const writer = new FrameWriter(sink);
    for (let i = 0; i < 50; i++) writer.frame(1, i, "hello");
    expect(sink.chunks).toHaveLength(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sink.chunks).toHaveLength(1);
    expect(writer.writesTotal).toBe(1);
    expect(read(sink.chunks)).toHaveLength(50);
  });

  it("leave before their turn ends once there are as many as a write may have", async () => {
    const sink = new Sink();
    const writer = new FrameWriter(sink, { framesPerWriteMax: 3 });
    for (let i = 0; i < 7; i++) writer.frame(1, i, "abc");
    expect(sink.chunks.map((chunk) => read([chunk]).length)).toEqual([3, 3]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sink.chunks.map((chunk) => read([chunk]).length)).toEqual([3, 3, 1]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(writer.writesTotal).toBe(3);
  });

  it("carry a large part without copying it, corked into one write", () => {
    const chunks: Uint8Array[] = [];
    const writer = new FrameWriter(
      { writableLength: 0, write: (chunk) => chunks.push(chunk) },
      { schedule: null },
    );
    const large = Buffer.alloc(1024 * 1024, 7);
    writer.frame(1, 1, "head", large);
    writer.frame(2, 2, "tail");
    writer.flush();
    expect(chunks[1]).toBe(large);
    expect(writer.writesTotal).toBe(1);
    expect(read(chunks.map((c) => Buffer.from(c))).map((f) => f.payload.length)).toEqual([
      4 + large.length,
      4,
    ]);
  });

  it("are not overwritten while the system still reads them", () => {
    const chunks: Uint8Array[] = [];
    const writer = new FrameWriter(
      { writableLength: 1, write: (chunk) => chunks.push(chunk) },
      { schedule: null },
    );
    for (let i = 0; i < 20; i++) {
      writer.frame(1, i, Buffer.alloc(20_000, i));
      writer.flush();
    }
    const frames = read(chunks.map((chunk) => Buffer.from(chunk)));
    expect(frames.map((frame) => frame.payload.charCodeAt(19_999))).toEqual([...Array(20).keys()]);
  });

  it("that lie inside one chunk are not copied, and one that spans chunks is copied once", () => {
    const sink = new Sink();
    const writer = new FrameWriter(sink, { schedule: null });
    writer.frame(1, 1, "small");
    writer.frame(1, 2, Buffer.alloc(300_000));
    writer.flush();
    const reader = new FrameReader();
    const bytes = sink.bytes;
    const payloads: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 65_536) {
      reader.push(bytes.subarray(at, at + 65_536), (_type, _id, payload) => payloads.push(payload));
    }
    expect(payloads[0]?.buffer).toBe(bytes.buffer);
    expect(payloads[1]).toHaveLength(300_000);
    expect(reader.copiedBytesTotal).toBe(300_000);
  });

  it("that are large can be read straight to where they belong", () => {
    const sink = new Sink();
    const writer = new FrameWriter(sink, { schedule: null });
    const large = Buffer.from(Array.from({ length: 5000 }, (_, i) => i));
    writer.frame(1, 1, large);
    writer.frame(1, 2, "next");
    writer.flush();
    const bytes = sink.bytes;
    const reader = new FrameReader();
    const payloads: Buffer[] = [];
    const onFrame = (_type: number, _id: number, payload: Buffer): void =>
      void payloads.push(payload);
    expect(reader.wanted(1)).toBeUndefined();
    reader.push(bytes.subarray(0, 109), onFrame);
    expect(reader.wanted(4901)).toBeUndefined();
    let at = 109;
    for (const sizeBytes of [1000, 3900]) {
      const target = reader.wanted(1)!;
      expect(target.length).toBe(5009 - at);
      bytes.copy(target, 0, at, at + sizeBytes);
      reader.filled(sizeBytes, onFrame);
      at += sizeBytes;
    }
    reader.push(bytes.subarray(at), onFrame);
    expect(payloads.map((payload) => payload.equals(large))).toEqual([true, false]);
    expect(payloads[1]?.toString()).toBe("next");
    expect(reader.copiedBytesTotal).toBe(100);
  });

  it("are refused when their length is below a header or above the limit", () => {
    for (const length of [0, 4, LIMITS.frameBytesMax + 1, 0xffffffff]) {
      expect(() => new FrameReader().push(frameOf(length), () => {})).toThrow(ChannelError);
    }
    expect(() => new FrameReader().push(frameOf(LIMITS.frameBytesMax), () => {})).not.toThrow();
  });

  it("that grow too long are taken back and leave the others whole", () => {
    const sink = new Sink();
    const writer = new FrameWriter(sink, { schedule: null });
    const half = Buffer.alloc(LIMITS.frameBytesMax / 2);
    writer.frame(1, 1, "before");
    expect(() => writer.frame(1, 2, "x", half, half)).toThrow(ChannelError);
    writer.begin(1, 3);
    expect(() => writer.text("x".repeat(65_536))).toThrow(ChannelError);
    writer.begin(1, 3);
    expect(() => writer.block(half)).toThrow(ChannelError);
    writer.frame(1, 4, "after");
    writer.flush();
    expect(read(sink.chunks)).toEqual([
      { type: 1, id: 1, payload: "before" },
      { type: 1, id: 4, payload: "after" },
    ]);
  });
});
