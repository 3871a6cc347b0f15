import { ClientSession } from "../../client/session.js";
import type { FaultyParts } from "../cluster/node-parts.js";

/** What a call does; `both`: it decides by what it has read. */
export type CallKind = "read" | "write" | "both";

/** The tokens that a client carries: the one of its session, and for canaries parts of it. */
export class Tokens {
  readonly #faulty: FaultyParts["token"];
  #all = new ClientSession();
  #read = new ClientSession();
  #written = new ClientSession();

  constructor(faulty: FaultyParts["token"]) {
    this.#faulty = faulty;
  }

  /** What a call of that kind carries. */
  of(call: CallKind): string {
    if (!this.#faulty || call === "both") return this.#all.token;
    const tokens = { read: this.#read, written: this.#written, all: this.#all };
    return tokens[this.#faulty(call)].token;
  }

  /** Takes the token of an answer. */
  note(call: CallKind, token: string): void {
    this.#all.note(token);
    if (!this.#faulty) return;
    if (call !== "write") this.#read.note(token);
    if (call !== "read") this.#written.note(token);
  }

  /** Begins anew. */
  clear(): void {
    this.#all = new ClientSession();
    this.#read = new ClientSession();
    this.#written = new ClientSession();
  }
}
