/**
 * Writes, reads and deletes keys that are never seen again on a node in this process, and prints the bytes in
 * use after a full collection: one line of JSON per round. Run with --expose-gc; arguments: keys per round,
 * rounds.
 */
import type { KeygroupName } from "../../../dist/core/ids.js";
import { TAG } from "../../../src/core/value.js";
import { PROCESS_ISOLATION, startNode } from "../../helpers/running-node.js";
import { bytesInUse } from "./bytes-in-use.js";

const KEYS_PER_WRITE = 100;
const [keysPerRound = 0, rounds = 0] = process.argv.slice(2).map(Number);

const running = await startNode(PROCESS_ISOLATION);
await running.client.keygroups.create("kg");
const keygroup = running.node.keygroups.find("kg" as KeygroupName);
const value = { tag: TAG.str, bytes: Buffer.from("value") };
for (let round = 0; round < rounds; round++) {
  for (let from = 0; from < keysPerRound; from += KEYS_PER_WRITE) {
    const keys = Array.from({ length: KEYS_PER_WRITE }, (_, at) => `${round}/${from + at}`);
    await keygroup.write({ writes: keys.map((key) => ({ op: "set", key, value })) });
    for (const key of keys) if (!keygroup.get(key)) throw new Error(`${key} is missing`);
    // Every other key goes: what is deleted must leave nothing either.
    const gone = keys.filter((_, at) => at % 2 === 0);
    await keygroup.write({ writes: gone.map((key) => ({ op: "delete", key })) });
  }
  process.stdout.write(`${JSON.stringify(bytesInUse())}\n`);
}
await running.remove();
