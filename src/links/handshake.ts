import * as z from "zod";

import { parseNodeName, type NodeName } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import { CLOSE, HANDSHAKE_BYTES_MAX, PROTOCOL_VERSIONS } from "./wire.js";

/** Why a link is refused: what the peer is told, and what the log says. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  /** One of {@link CLOSE}. */
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

const name = z.string().transform((given, context) => {
  try {
    return parseNodeName(given);
  } catch {
    context.addIssue("no node name");
    return z.NEVER;
  }
});
const counter = z.number().int().nonnegative();
const time = z.number().nonnegative();
/** Random for each process, so that a restarted peer is told from the one before. */
const processId = z.string().min(1).max(64);

const hello = z.object({
  type: z.literal("hello"),
  protocols: z.array(counter).min(1).max(32),
  node: name,
  to: name,
  process: processId,
  /** Rises with each dial of that process. */
  attempt: counter,
  nowMs: time,
});
const welcome = z.object({
  type: z.literal("welcome"),
  protocol: counter,
  node: name,
  process: processId,
  /** The last dial of that process: every one up to it is over. */
  attempt: counter,
  nowMs: time,
});
const ready = z.object({ type: z.literal("ready"), nowMs: time });

/** The dialling node says who it is and whom it wants. */
export type Hello = z.output<typeof hello>;
/** The other node agrees. */
export type Welcome = z.output<typeof welcome>;
/** The dialling node agrees too: the link is open. */
export type Ready = z.output<typeof ready>;

/** Encodes a message of the handshake. */
export function encodeHandshake(message: Hello | Welcome | Ready): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/** Reads the first message of a dialling node. @throws Refusal */
export function readHello(bytes: Buffer): Hello {
  const given = parse(bytes);
  const result = hello.safeParse(given);
  if (result.success) return result.data;
  throw new Refusal(CLOSE.malformed, "the first message is no hello");
}

/** Reads the answer to a hello. @throws Refusal */
export function readWelcome(bytes: Buffer): Welcome {
  const result = welcome.safeParse(parse(bytes));
  if (!result.success) throw new Refusal(CLOSE.malformed, "the answer is no welcome");
  if (!PROTOCOL_VERSIONS.includes(result.data.protocol))
    throw versionRefusal([result.data.protocol]);
  return result.data;
}

/** Reads the last message of a handshake. @throws Refusal */
export function readReady(bytes: Buffer): Ready {
  const result = ready.safeParse(parse(bytes));
  if (result.success) return result.data;
  throw new Refusal(CLOSE.malformed, "the last message of the handshake is no ready");
}

/** The best version that both speak. @throws Refusal */
export function chooseVersion(theirs: readonly number[]): number {
  const common = PROTOCOL_VERSIONS.find((version) => theirs.includes(version));
  if (common === undefined) throw versionRefusal(theirs);
  return common;
}

/** Checks that the peer is who its certificate says. @throws Refusal */
export function checkIdentity(certified: NodeName | undefined, claimed: NodeName): void {
  if (certified === undefined || certified === claimed) return;
  const reason = `the certificate is of ${certified}, and it says it is ${claimed}`;
  throw new Refusal(CLOSE.identity, reason);
}

/** When a peer's wall clock was read, as far as that is known here. */
export interface ClockReading {
  /** What it showed. */
  readonly nowMs: number;
  /** This node's monotonic clock just before and after. */
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** How far the peer's wall clock is off for certain, whenever within its bounds it was read. */
export function skewMs(reading: ClockReading, clock: Clock): number {
  const ageMs = clock.monotonicMs() - reading.latestMs;
  const uncertainMs = reading.latestMs - reading.earliestMs;
  const offMs = reading.nowMs - (clock.nowMs() - ageMs - uncertainMs / 2);
  return Math.sign(offMs) * Math.max(0, Math.abs(offMs) - uncertainMs / 2);
}

/** Refuses a peer whose wall clock is off too far. @throws Refusal */
export function checkSkew(reading: ClockReading, clock: Clock, maxSkewMs: number): void {
  const offMs = skewMs(reading, clock);
  if (Math.abs(offMs) <= maxSkewMs) return;
  const side = offMs > 0 ? "ahead of" : "behind";
  const reason = `its clock is ${Math.round(Math.abs(offMs))} ms ${side} ours, more than ${maxSkewMs} ms`;
  throw new Refusal(CLOSE.skew, reason);
}

function versionRefusal(theirs: readonly number[]): Refusal {
  const ours = PROTOCOL_VERSIONS.join(", ");
  return new Refusal(
    CLOSE.version,
    `it speaks protocol ${theirs.slice(0, 8).join(", ")}, we speak ${ours}`,
  );
}

function parse(bytes: Buffer): unknown {
  if (bytes.length > HANDSHAKE_BYTES_MAX) {
    throw new Refusal(CLOSE.malformed, "a message of the handshake is too long");
  }
  try {
    return JSON.parse(bytes.toString("utf8")) as unknown;
  } catch {
    throw new Refusal(CLOSE.malformed, "a message of the handshake is no JSON");
  }
}
