/** Types of control packets (MQTT 3.1.1, section 2.2.1): those that a subscriber sends and gets. */
export const PACKET = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  subscribe: 8,
  suback: 9,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
} as const;

/** A message that the broker hands on. */
export interface Publish {
  readonly kind: "publish";
  readonly topic: string;
  readonly payload: Buffer;
  /** Of its payload; more than `payload` has if it was too large to be kept. */
  readonly sizeBytes: number;
  /** What it is acknowledged by; `undefined` = it was published without (QoS 0). */
  readonly packetId: number | undefined;
  /** The broker has sent it before, perhaps. */
  readonly isRepeated: boolean;
  /** It was kept by the broker from before the subscription. */
  readonly isRetained: boolean;
}

/** What a broker sends to a subscriber. */
export type BrokerPacket =
  | Publish
  /** `code` 0: the connection stands. `hasSession`: the broker knows this client from before. */
  | { readonly kind: "connack"; readonly code: number; readonly hasSession: boolean }
  | { readonly kind: "suback"; readonly isGranted: boolean }
  | { readonly kind: "pingresp" };

/** Who connects, and how. */
export interface ConnectRequest {
  readonly clientId: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** The broker forgets what it has kept for this client, and keeps nothing. */
  readonly isClean: boolean;
  readonly keepAliveSeconds: number;
}

/** Bytes that do not follow the protocol. */
export class MalformedPacket extends Error {}

const PROTOCOL_LEVEL = 4;
const CLEAN_FLAG = 0x02;
const PASSWORD_FLAG = 0x40;
const USER_FLAG = 0x80;
/** The one code by which a subscription is refused. */
const SUBSCRIPTION_FAILED = 0x80;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The first packet of a connection. */
export function encodeConnect(request: ConnectRequest): Buffer {
  const { user, password } = request;
  const flags =
    (request.isClean ? CLEAN_FLAG : 0) |
    (user === undefined ? 0 : USER_FLAG) |
    (password === undefined ? 0 : PASSWORD_FLAG);
  const head = Buffer.alloc(4);
  head.writeUInt8(PROTOCOL_LEVEL, 0);
  head.writeUInt8(flags, 1);
  head.writeUInt16BE(request.keepAliveSeconds, 2);
  const texts = [request.clientId, user, password].filter((text) => text !== undefined);
  return encodePacket(PACKET.connect, 0, [encodeText("MQTT"), head, ...texts.map(encodeText)]);
}

/** Asks for what fits `filter`, each message until it is acknowledged (QoS 1). */
export function encodeSubscribe(packetId: number, filter: string): Buffer {
  return encodePacket(PACKET.subscribe, 0b0010, [
    encodeId(packetId),
    encodeText(filter),
    Buffer.of(1),
  ]);
}

/** Acknowledges a message. */
export function encodePuback(packetId: number): Buffer {
  return encodePacket(PACKET.puback, 0, [encodeId(packetId)]);
}

/** A packet that says all by its type. */
export function encodeBare(type: typeof PACKET.pingreq | typeof PACKET.disconnect): Buffer {
  return encodePacket(type, 0, []);
}

/**
 * Reads one packet from its first byte and what follows its length. `wholeBytes`: its length, of which
 * `body` may be a beginning. @throws MalformedPacket
 */
export function decodePacket(first: number, body: Buffer, wholeBytes: number): BrokerPacket {
  const type = first >> 4;
  if (type === PACKET.publish) return decodePublish(first & 0b1111, body, wholeBytes);
  if (type === PACKET.pingresp && wholeBytes === 0) return { kind: "pingresp" };
  if (type === PACKET.connack && wholeBytes === 2) {
    return { kind: "connack", hasSession: (body.readUInt8(0) & 1) === 1, code: body.readUInt8(1) };
  }
  if (type === PACKET.suback && wholeBytes === 3) {
    return { kind: "suback", isGranted: body.readUInt8(2) !== SUBSCRIPTION_FAILED };
  }
  throw new MalformedPacket(`a packet of type ${type} with ${wholeBytes} bytes`);
}

function decodePublish(flags: number, body: Buffer, wholeBytes: number): Publish {
  const qos = (flags >> 1) & 0b11;
  // What was asked for with QoS 1 is never sent with more.
  if (qos > 1) throw new MalformedPacket(`a message with QoS ${qos}`);
  if (body.length < 2) throw new MalformedPacket("a message without a topic");
  const topicEnd = 2 + body.readUInt16BE(0);
  const payloadStart = topicEnd + 2 * qos;
  if (payloadStart > body.length) throw new MalformedPacket("a message that ends in its topic");
  return {
    kind: "publish",
    topic: decodeText(body.subarray(2, topicEnd)),
    payload: body.subarray(payloadStart),
    sizeBytes: wholeBytes - payloadStart,
    packetId: qos === 1 ? body.readUInt16BE(topicEnd) : undefined,
    isRepeated: (flags & 0b1000) !== 0,
    isRetained: (flags & 0b0001) !== 0,
  };
}

function decodeText(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new MalformedPacket("a topic that is no UTF-8");
  }
}

function encodePacket(type: number, flags: number, parts: readonly Buffer[]): Buffer {
  const head = [(type << 4) | flags];
  let rest = parts.reduce((sum, part) => sum + part.length, 0);
  do {
    const isLast = rest < 128;
    head.push((rest % 128) | (isLast ? 0 : 128));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(head), ...parts]);
}

function encodeId(packetId: number): Buffer {
  return Buffer.of(packetId >> 8, packetId & 0xff);
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([encodeId(bytes.length), bytes]);
}
