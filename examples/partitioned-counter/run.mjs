// Three nodes on this machine, each behind a relay for what the others send it. The relays are cut, so
// that no node reaches another, all three go on counting, and the relays are mended: see README.md.
// Needs `enoki` (or its path in ENOKI) and `etcd`, the naming service of the nodes.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { ENOKI, startCluster } from "./nodes.mjs";

const TOGETHER = { cloud: 10, edge1: 10, edge2: 10 };
// Powers of two, so that no two nodes tell the same before they have everything.
const APART = { cloud: 100, edge1: 200, edge2: 400 };
const TOTAL = 730;

const dir = await mkdtemp(join(tmpdir(), "enoki-counter-"));
const undo = [() => rm(dir, { recursive: true, force: true })];

async function deploy(language, node) {
  const name = `hits-${language}`;
  const source = fileURLToPath(new URL(language, import.meta.url));
  const args = [
    "deploy",
    source,
    "--name",
    name,
    "--to",
    "all",
    "--wait",
    "60s",
    "--node",
    node.admin,
  ];
  await promisify(execFile)(ENOKI, args);
  return name;
}

async function call(node, name, body) {
  const response = await fetch(`${node.functions}/${name}`, { method: "POST", body });
  if (!response.ok) throw new Error(`${node.name}: ${await response.text()}`);
  return Number(await response.text());
}

/** Calls the function on every node as often as said, 20 calls at a time; each adds 1. */
async function count(nodes, name, times) {
  const rounds = nodes.map(async (node) => {
    for (let done = 0; done < times[node.name]; done += 20) {
      const calls = Math.min(20, times[node.name] - done);
      await Promise.all(Array.from({ length: calls }, () => call(node, name, "1")));
    }
  });
  await Promise.all(rounds);
}

async function counts(nodes, name) {
  return Promise.all(nodes.map((node) => call(node, name, "")));
}

/** Waits until all nodes tell the same number, and returns it. */
async function agreed(nodes, name) {
  for (const endMs = Date.now() + 60_000; Date.now() < endMs; await pause(50)) {
    const [first, ...others] = await counts(nodes, name);
    if (others.every((other) => other === first)) return first;
  }
  throw new Error(`${name}: the nodes do not agree within a minute`);
}

function show(what, nodes, numbers) {
  console.log(`  ${what}: ${nodes.map(({ name }, i) => `${name} ${numbers[i]}`).join(", ")}`);
}

try {
  const nodes = await startCluster(Object.keys(APART), dir, undo);
  for (const language of ["python", "javascript"]) {
    const name = await deploy(language, nodes[0]);
    console.log(name);
    await count(nodes, name, TOGETHER);
    await agreed(nodes, name);
    show("together", nodes, await counts(nodes, name));
    for (const { relay } of nodes) relay.cut();
    await count(nodes, name, APART);
    show("parted", nodes, await counts(nodes, name));
    const startMs = Date.now();
    for (const { relay } of nodes) relay.mend();
    const total = await agreed(nodes, name);
    show(`healed in ${Date.now() - startMs} ms`, nodes, await counts(nodes, name));
    if (total !== TOTAL) throw new Error(`${name} counted ${total} of ${TOTAL} calls`);
  }
  console.log(`Every one of the ${TOTAL} calls counts, on every node.`);
} finally {
  for (const step of undo.reverse()) await step();
}
