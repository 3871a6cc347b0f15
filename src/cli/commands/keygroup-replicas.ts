import type { Command } from "commander";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";

import { EnokiError } from "../../core/errors.js";
import type { Client } from "../../client/client.js";
import { durationMs } from "../../client/options.js";
import type { KeygroupPlaces } from "../../client/types.js";
import { addNodeCommand, onNode, type Cli } from "../command.js";
import { write, type Io } from "../io.js";
import { lossOf } from "../loss.js";
import { jsonLine, table } from "../output.js";

interface WaitOptions {
  readonly wait?: string;
}
interface AddOptions extends WaitOptions {
  readonly durability?: string;
}
interface RemoveOptions extends WaitOptions {
  readonly force?: boolean;
}

const WAIT_MS = 30_000;
const POLL_MS = 200;

/** `enoki keygroups replicas|add-replica|remove-replica|move|refound` */
export function addReplicaCommands(keygroups: Command, cli: Cli): void {
  addShow(keygroups, cli);
  addAdd(keygroups, cli);
  addRemove(keygroups, cli);
  addMove(keygroups, cli);
  addRefound(keygroups, cli);
}

function addShow(keygroups: Command, cli: Cli): void {
  addNodeCommand(keygroups, {
    usage: "replicas <keygroup>",
    description: "show on which nodes the data are to lie, and how their replicas are",
    examples: ["enoki keygroups replicas readings"],
  }).action(
    onNode(cli, async ({ client, io, json }, name: string) => {
      await print(io, json, await client.keygroups.replicas(name));
    }),
  );
}

function addAdd(keygroups: Command, cli: Cli): void {
  addNodeCommand(keygroups, {
    usage: "add-replica <keygroup> <node>",
    description: "add a replica on a node and wait until it has caught up and serves",
    examples: [
      "enoki keygroups add-replica readings edge2",
      "enoki keygroups add-replica readings cloud --durability strict",
    ],
  })
    .option("--durability <level>", "relaxed, or strict; else as the other replicas")
    .option("--wait <duration>", "how long to wait, such as 5m (default: 30s)")
    .action(
      onNode<AddOptions>(cli, async ({ client, io, json, options }, name, node) => {
        const { durability, wait } = options;
        const said = durability === undefined ? {} : { durability: durability as "strict" };
        const added = await client.keygroups.addReplica(name, node, said);
        const isDone = (places: KeygroupPlaces): boolean =>
          places.replicas.some((replica) => replica.node === node && replica.state === "serving");
        await print(io, json, await waitUntil({ client, io, wait, isDone }, added));
      }),
    );
}

function addRemove(keygroups: Command, cli: Cli): void {
  addNodeCommand(keygroups, {
    usage: "remove-replica <keygroup> <node>",
    description: "take a replica away once another one has everything",
    examples: [
      "enoki keygroups remove-replica readings edge2",
      "enoki keygroups remove-replica readings edge3 --force",
    ],
  })
    .option("--force", "at once, whatever is nowhere else; for nodes that will not come back")
    .option("--wait <duration>", "how long to wait for the others, such as 5m (default: 30s)")
    .action(
      onNode<RemoveOptions>(cli, async ({ client, io, json, options }, name, node) => {
        const { force = false, wait } = options;
        const how = { force, ...(wait === undefined ? {} : { wait }) };
        const removed = await client.keygroups.removeReplica(name, node, how);
        await write(io.stderr, `removed the replica on ${node}${lossOf(removed.lost)}\n`);
        await print(io, json, removed);
      }),
    );
}

function addMove(keygroups: Command, cli: Cli): void {
  addNodeCommand(keygroups, {
    usage: "move <keygroup> <placement>",
    description:
      "place the data on one node, or on all that run the function; all goes on meanwhile",
    examples: ["enoki keygroups move readings cloud", "enoki keygroups move readings replicate"],
  })
    .option("--wait <duration>", "how long to wait until the data are there (default: 30s)")
    .action(
      onNode<WaitOptions>(cli, async ({ client, io, json, options }, name, placement) => {
        const data = placementOf(placement);
        const decided = await client.keygroups.move(name, data);
        const isDone = ({ replicas }: KeygroupPlaces): boolean =>
          data === "replicate"
            ? replicas.every(({ state }) => state !== "joining")
            : replicas.every(
                (replica) => data === `at:${replica.node}` && replica.state === "serving",
              );
        const { wait } = options;
        await print(io, json, await waitUntil({ client, io, wait, isDone }, decided));
      }),
    );
}

function addRefound(keygroups: Command, cli: Cli): void {
  addNodeCommand(keygroups, {
    usage: "refound <keygroup> <node>",
    description: "begin anew and empty on a node, after all disks with the data were lost",
    examples: ["enoki keygroups refound readings cloud"],
  })
    .option("--force", "also if a replica serves, whose data are exported there and dropped")
    .action(
      onNode<{ force?: boolean }>(cli, async ({ client, io, json, options }, name, node) => {
        await print(
          io,
          json,
          await client.keygroups.refound(name, node, options.force ? { force: true } : {}),
        );
      }),
    );
}

/** `at:NODE` may be said as `NODE`. */
function placementOf(text: string): string {
  return text === "replicate" || text.startsWith("at:") ? text : `at:${text}`;
}

interface Wait {
  readonly client: Client;
  readonly io: Io;
  readonly wait: string | undefined;
  readonly isDone: (places: KeygroupPlaces) => boolean;
}

/**
 * Waits until the replicas are as they should be, with a line for each state as it comes.
 * @throws EnokiError `ENOKI_PLACEMENT_INCOMPLETE`
 */
async function waitUntil(
  { client, io, wait, isDone }: Wait,
  decided: KeygroupPlaces,
): Promise<KeygroupPlaces> {
  const endMs = performance.now() + (wait === undefined ? WAIT_MS : durationMs("wait", wait));
  let told = "";
  for (let places = decided; ; places = await client.keygroups.replicas(decided.name)) {
    const states = places.replicas.map(({ node, state }) => `${node} ${state}`).join(", ");
    if (states !== told) await write(io.stderr, `${states}\n`);
    told = states;
    if (isDone(places)) return places;
    if (performance.now() >= endMs) {
      throw new EnokiError("ENOKI_PLACEMENT_INCOMPLETE", `not there yet: ${states}`);
    }
    await pause(POLL_MS);
  }
}

async function print(io: Io, json: boolean, places: KeygroupPlaces): Promise<void> {
  if (json) return write(io.stdout, jsonLine(places));
  const rows = places.replicas.map(({ node, state, durability }) => [node, state, durability]);
  const shown = table(["NODE", "STATE", "DURABILITY"], rows);
  await write(io.stdout, `data  ${places.data}\n${shown}`);
}
