import type { Vector } from "./vector.js";

/** What a member tells every other one from time to time. */
export interface Heartbeat {
  /** The record that the sender acts under. */
  readonly epoch: number;
  /** The sender: the epoch at which it joined, and its restart. */
  readonly member: number;
  readonly restart: number;
  /** False while it joins: it acknowledges nothing and serves no catch-up. */
  readonly isServing: boolean;
  /** What it has applied. */
  readonly applied: Vector;
  /** What it has on stable storage. */
  readonly durable: Vector;
  readonly hlc: number;
  /** When it was made, on the sender's own monotonic clock; the receiver only echoes it. */
  readonly stamp: number;
  /** The latest stamp of the receiver that had come before `applied` was read; `undefined` = none. */
  readonly echo: number | undefined;
}
