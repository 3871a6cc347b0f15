import { array, assert, nat, property, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";

import { PacketReader } from "../../../src/triggers/mqtt/packet-reader.js";
import {
  encodeBare,
  encodeConnect,
  encodePuback,
  encodeSubscribe,
  MalformedPacket,
  PACKET,
  type BrokerPacket,
} from "../../../src/triggers/mqtt/packets.js";

const MOST = 100_000;

describe("what is sent", () => {
  test("a connection with everything", () => {
    const packet = encodeConnect({
      clientId: "id",
      user: "u",
      password: "p",
      isClean: false,
      keepAliveSeconds: 60,
    });
    const hex = "10 14 0004 4d515454 04 c0 003c 0002 6964 0001 75 0001 70".replaceAll(" ", "");
    expect(packet.toString("hex")).toBe(hex);
  });

  test("a connection of nobody that keeps nothing", () => {
    const nobody = { clientId: "id", user: undefined, password: undefined };
    const packet = encodeConnect({ ...nobody, isClean: true, keepAliveSeconds: 60 });
    expect(packet.toString("hex")).toBe("100e00044d5154540402003c00026964");
  });

  test("a subscription, an acknowledgement, a ping, a goodbye", () => {
    expect(encodeSubscribe(1, "a/#").toString("hex")).toBe("820800010003612f2301");
    expect(encodePuback(513).toString("hex")).toBe("40020201");
    expect(encodeBare(PACKET.pingreq).toString("hex")).toBe("c000");
    expect(encodeBare(PACKET.disconnect).toString("hex")).toBe("e000");
  });
});

describe("what arrives", () => {
  test("answers", () => {
    expect(read("20020100")).toEqual([{ kind: "connack", code: 0, hasSession: true }]);
    expect(read("20020005")).toEqual([{ kind: "connack", code: 5, hasSession: false }]);
    expect(read("9003000101")).toEqual([{ kind: "suback", isGranted: true }]);
    expect(read("9003000180")).toEqual([{ kind: "suback", isGranted: false }]);
    expect(read("d000")).toEqual([{ kind: "pingresp" }]);
  });

  test("messages with and without an acknowledgement, repeated and retained", () => {
    const [first, second] = read(`3a0700016100097879${"31050001617879"}`);
    expect(first).toMatchObject({ topic: "a", packetId: 9, isRepeated: true, isRetained: false });
    expect(second).toMatchObject({ packetId: undefined, isRepeated: false, isRetained: true });
    expect(String((second as { payload: Buffer }).payload)).toBe("xy");
  });

  test("a message without bytes, and bytes that are no text", () => {
    expect(read("320500016100 09".replace(" ", ""))).toMatchObject([{ sizeBytes: 0, packetId: 9 }]);
    const [message] = read("3207000161000900ff");
    expect((message as { payload: Buffer }).payload).toEqual(Buffer.of(0, 255));
  });

  test.each([
    ["a length of five bytes", "30ffffffff01"],
    ["a packet that only servers get", "8200"],
    ["QoS 2, which nobody asked for", "34050001610001"],
    ["a message that ends in its topic", "300300056161"],
    ["a message that ends in its id", "320400016100"],
    ["a topic that is no UTF-8", "30030001ff"],
    ["an answer of another length", "200100"],
  ])("%s is refused", (_what, hex) => {
    expect(() => read(hex)).toThrow(MalformedPacket);
  });

  test("the same in whatever pieces it comes", () => {
    const whole = Buffer.concat([
      Buffer.from("20020100", "hex"),
      publish("some/topic", Buffer.alloc(300, 7), 5),
      Buffer.from("d000", "hex"),
      publish("t", Buffer.alloc(0), 6),
    ]);
    const expected = readChunks([whole]);
    assert(
      property(array(nat(whole.length), { maxLength: 20 }), (cuts) => {
        const ends = [...cuts, whole.length].sort((a, b) => a - b);
        const chunks = ends.map((end, index) => whole.subarray(ends[index - 1] ?? 0, end));
        expect(readChunks(chunks)).toEqual(expected);
      }),
    );
  });

  test("of a message that is too large the beginning is kept, and what follows is read", () => {
    const large = publish("large", Buffer.alloc(MOST * 3, 1), 77);
    const chunks = [large.subarray(0, 10), large.subarray(10, MOST), large.subarray(MOST)];
    const packets = readChunks([...chunks, publish("small", Buffer.from("x"), 78)]);
    expect(packets).toMatchObject([
      { topic: "large", packetId: 77, sizeBytes: MOST * 3 },
      { topic: "small", packetId: 78, sizeBytes: 1 },
    ]);
    expect((packets[0] as { payload: Buffer }).payload.length).toBeLessThan(70_000);
  });

  test("garbage gives packets or is refused, and never anything else", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readChunks([Buffer.from(bytes)]);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedPacket);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

function read(hex: string): BrokerPacket[] {
  return readChunks([Buffer.from(hex, "hex")]);
}

function readChunks(chunks: readonly Buffer[]): BrokerPacket[] {
  const reader = new PacketReader(MOST);
  return chunks.flatMap((chunk) => [...reader.push(chunk)]);
}

function publish(topic: string, payload: Buffer, packetId: number): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(topic.length);
  const id = Buffer.alloc(2);
  id.writeUInt16BE(packetId);
  const body = Buffer.concat([head, Buffer.from(topic), id, payload]);
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    length.push(rest < 128 ? rest : (rest & 127) | 128);
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.of(0x32, ...length), body]);
}
