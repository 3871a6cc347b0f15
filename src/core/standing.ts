import type { Vector } from "./vector.js";

/** Where a member stands, as it says itself. Others hand it on to who cannot hear that member. */
export interface Standing {
  /** The record that the member acts under. */
  readonly epoch: number;
  /** Who it is: the epoch at which it joined, and its restart. */
  readonly member: number;
  readonly restart: number;
  /** False while it joins: it acknowledges nothing and serves no catch-up. */
  readonly isServing: boolean;
  /** What it has applied. */
  readonly applied: Vector;
  /** What it has on stable storage. */
  readonly durable: Vector;
}

/** Where a third member stands, as one member tells it to another. */
export interface RelayedStanding {
  readonly standing: Standing;
  /** A stamp of the receiver: that member stood there at some moment after it was made. */
  readonly echo: number;
}
