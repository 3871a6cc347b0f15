import { Buffer } from "node:buffer";

import { hlcFromMs } from "../../../src/core/hlc.js";
import { OutgoingHeartbeats } from "../../../src/core/heartbeat-changes.js";
import type { Standing } from "../../../src/core/standing.js";
import { TAG } from "../../../src/core/value.js";
import { Vector } from "../../../src/core/vector.js";
import {
  encodeMessage,
  joinUpdates,
  type KeygroupMessage,
} from "../../../src/core/wire/messages.js";
import { encodeUpdate } from "../../../src/core/wire/update.js";
import type { Update } from "../../../src/core/update.js";
import type { KeygroupRecord } from "../../../src/cluster/records.js";

/** Writes messages of a keygroup as the node of one of its members would, or should not. */
export class HandmadeMember {
  readonly record: KeygroupRecord;
  readonly #node: string;

  constructor(record: KeygroupRecord, node: string) {
    this.record = record;
    this.#node = node;
  }

  /** The epoch at which that node joined. */
  memberOf(node: string): number {
    return this.record.members.find((member) => member.node === node)?.epoch ?? 0;
  }

  /** A vector of the present record; who is not said is listed at 0. */
  vector(counters: Readonly<Record<string, number>> = {}, epoch = this.record.epoch): Vector {
    const entries = this.record.members.map((member) => ({
      epoch: member.epoch,
      restart: 0,
      counter: counters[member.node] ?? 0,
    }));
    return new Vector(entries, epoch);
  }

  /** A heartbeat that says everything and tells of nobody else, changed as a test likes. */
  heartbeat(changes: Partial<Standing> & { readonly hlc?: number } = {}): Uint8Array {
    const { hlc = hlcFromMs(Date.now()), ...more } = changes;
    const standing = {
      epoch: this.record.epoch,
      member: this.memberOf(this.#node),
      restart: 0,
      isServing: true,
      applied: this.vector(),
      durable: this.vector(),
      ...more,
    };
    const said = { standing, hlc, stamp: 1, echo: undefined, wants: [], relayed: [] };
    const heartbeat = new OutgoingHeartbeats().next(said, false);
    return this.message({ type: "heartbeat", heartbeat });
  }

  /** An update that sets `key`, changed as a test likes. */
  update(key: string, changes: Partial<Update> = {}): Uint8Array {
    const value = { tag: TAG.str, bytes: Buffer.from("forged") };
    const entry = { key: Buffer.from(key), value, expiresAtMs: 0, replaces: [], isPinned: false };
    const update: Update = {
      dot: { epoch: this.memberOf(this.#node), restart: 0, counter: 1 },
      hlc: hlcFromMs(Date.now()),
      deps: [],
      invocation: undefined,
      entries: [entry],
      ...changes,
    };
    return this.#named(joinUpdates(this.record.generation, [encodeUpdate(update)]));
  }

  message(message: Exclude<KeygroupMessage, { type: "updates" }>): Uint8Array {
    return this.#named(encodeMessage(this.record.generation, message));
  }

  #named(message: Uint8Array): Uint8Array {
    const { name } = this.record;
    return Buffer.concat([Buffer.of(name.length), Buffer.from(name, "latin1"), message]);
  }
}
