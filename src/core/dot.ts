import { varintSize, writeVarint, type ByteReader } from "./codec.js";

/** One run of one member: the epoch at which it joined, and how often it had to start afresh. */
export interface Origin {
  readonly epoch: number;
  readonly restart: number;
}

/** The name of one commit: the origin that made it and the origin's counter, from 1. Never used twice. */
export interface Dot extends Origin {
  readonly counter: number;
}

/** Members are named by numbers up to this one, so that an origin fits one exact number. */
export const EPOCH_MAX = 2 ** 33 - 1;
/** Restarts of one member. */
export const RESTART_MAX = 2 ** 20 - 1;

/** Orders origins: a later member or a later restart is greater. */
export function compareOrigins(left: Origin, right: Origin): number {
  return left.epoch - right.epoch || left.restart - right.restart;
}

/** Orders dots by origin, then counter: a total order that every replica shares. */
export function compareDots(left: Dot, right: Dot): number {
  return left.epoch - right.epoch || left.restart - right.restart || left.counter - right.counter;
}

/** True when both name the same commit. */
export function equalDots(left: Dot, right: Dot): boolean {
  return (
    left.counter === right.counter && left.epoch === right.epoch && left.restart === right.restart
  );
}

/** True when `dot` is one of `dots`; meant for a handful of them. */
export function includesDot(dots: readonly Dot[], dot: Dot): boolean {
  for (const other of dots) if (equalDots(other, dot)) return true;
  return false;
}

/** Writes a dot as `epoch.restart.counter`, such as `1.3.27`. */
export function formatDot(dot: Dot): string {
  return `${dot.epoch}.${dot.restart}.${dot.counter}`;
}

const DOT = /^(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,6})\.([1-9]\d{0,15})$/;

/** Reads what {@link formatDot} wrote; `undefined` for anything else. */
export function parseDot(text: string): Dot | undefined {
  const match = DOT.exec(text);
  if (!match) return undefined;
  const counter = Number(match[3]);
  if (!Number.isSafeInteger(counter)) return undefined;
  return { epoch: Number(match[1]), restart: Number(match[2]), counter };
}

/** Bytes that {@link writeDot} takes. */
export function dotSize(dot: Dot): number {
  return varintSize(dot.epoch) + varintSize(dot.restart) + varintSize(dot.counter);
}

/** Writes three varints at `offset` and returns the offset behind them. */
export function writeDot(target: Uint8Array, offset: number, dot: Dot): number {
  const afterEpoch = writeVarint(target, offset, dot.epoch);
  const afterRestart = writeVarint(target, afterEpoch, dot.restart);
  return writeVarint(target, afterRestart, dot.counter);
}

/** Reads what {@link writeDot} wrote. */
export function readDot(reader: ByteReader): Dot {
  const epoch = reader.varint();
  const restart = reader.varint();
  const isInRange = epoch <= EPOCH_MAX && restart <= RESTART_MAX;
  reader.require(isInRange, "an origin is out of range");
  return { epoch, restart, counter: reader.varint() };
}

/** Bytes that every dot takes at least. */
export const DOT_BYTES_MIN = 3;
