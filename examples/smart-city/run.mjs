// The smart city on three nodes: a cloud and two edges, with a partition in the middle. See README.md.
// Needs `enoki` (or its path in ENOKI) and `etcd`, the naming service of the nodes.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { ENOKI, startCluster } from "../partitioned-counter/nodes.mjs";
import { City, emergency } from "./city.mjs";
import { Traces } from "./traces.mjs";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const IN_PYTHON = process.argv.includes("--python")
  ? ["traffic-sensor-filter", "movement-plan", "traffic-statistics"]
  : [];
/** Per edge, and in each of the three phases. */
const REQUESTS = 60;
const REQUESTS_PER_SECOND = 20;
const HEALED_WITHIN_MS = 60_000;

const dir = await mkdtemp(join(tmpdir(), "enoki-city-"));
const undo = [() => rm(dir, { recursive: true, force: true })];

/** Deploys what enoki.yaml names; those in Python take the places of their namesakes. */
async function deploy(node) {
  const enoki = (...args) =>
    promisify(execFile)(ENOKI, [...args, "--wait", "60s", "--node", node.admin], { cwd: FOLDER });
  await enoki("deploy");
  for (const name of IN_PYTHON) await enoki("deploy", `python/${name}`, "--name", name);
}

/** Sends requests to a node at a steady pace, whether or not they are answered, and gathers what came. */
async function send(node, city) {
  const startMs = performance.now();
  const answers = [];
  for (let i = 0; i < REQUESTS; i++) {
    const dueMs = startMs + (i * 1000) / REQUESTS_PER_SECOND;
    await pause(Math.max(0, dueMs - performance.now()));
    answers.push(ask(node, city.next(), dueMs));
  }
  return Promise.all(answers);
}

/** One request; its time counts from when it was due. */
async function ask(node, { name, data }, dueMs, more = {}) {
  const headers = { "content-type": "application/json", ...more };
  const body = JSON.stringify(data);
  const response = await fetch(`${node.functions}/${name}`, { method: "POST", headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${node.name}: ${name}: ${response.status} ${text}`);
  const { accepted } = JSON.parse(text);
  return { name, accepted, latencyMs: performance.now() - dueMs };
}

async function admin(node, path) {
  const response = await fetch(`${node.admin}/v1/${path}`);
  if (!response.ok) throw new Error(`${node.name}: ${path}: ${response.status}`);
  return response.json();
}

/** How many messages of a node are in that state, be it those for one function. */
async function messages(node, state, name) {
  const those = name === undefined ? "" : `&function=${name}`;
  const { invocations } = await admin(node, `invocations?state=${state}&limit=10000${those}`);
  return invocations.length;
}

/** How many messages the answers say were sent, by function: what a filter stops sends none. */
function messagesOf(answers) {
  const count = (name) =>
    answers.filter((answer) => answer.name === name && answer.accepted !== false).length;
  const [pictures, cars] = [count("object-recognition"), count("traffic-sensor-filter")];
  return {
    "traffic-statistics": pictures,
    // Of each picture both what is urgent and where all move is told, of each car the latter.
    "light-phase-calculation": 2 * pictures + cars,
    "road-condition": count("weather-sensor-filter"),
  };
}

/** Compares what was sent with what has ended well at the nodes that sent it; true if that is all. */
async function showMessages(sent, nodes) {
  const lines = Object.entries(sent).map(async ([name, count]) => {
    const ended = await Promise.all(nodes.map((node) => messages(node, "done", name)));
    return { name, count, ended: ended.reduce((sum, more) => sum + more, 0) };
  });
  const shown = await Promise.all(lines);
  for (const { name, count, ended } of shown) {
    console.log(`  ${name.padEnd(23)} ${count} messages sent, ${ended} delivered`);
  }
  return shown.every(({ count, ended }) => count === ended);
}

async function waiting(nodes) {
  const counts = await Promise.all(
    nodes.flatMap((node) => ["queued", "running"].map((state) => messages(node, state))),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function pictures(cloud) {
  const headers = { accept: "application/json" };
  const url = `${cloud.admin}/v1/keygroups/traffic-statistics/keys/pictures`;
  const response = await fetch(url, { headers });
  return response.status === 404 ? 0 : Number(await response.text());
}

/** Waits until no message is on its way any more, and returns how long that took. */
async function delivered(nodes) {
  const startMs = performance.now();
  for (; performance.now() - startMs < HEALED_WITHIN_MS; await pause(50)) {
    if ((await waiting(nodes)) === 0) return Math.round(performance.now() - startMs);
  }
  throw new Error(`${await waiting(nodes)} messages are still on their way`);
}

/** Sends one picture of an ambulance and shows what it set in motion, on which node, and how long that took. */
async function showOne(node, traces) {
  const traceId = randomBytes(16).toString("hex");
  const traceparent = `00-${traceId}-${randomBytes(8).toString("hex")}-01`;
  const answer = await ask(node, emergency(), performance.now(), { traceparent });
  const last = ["traffic-statistics", "light-phase-calculation"].map((name) => `invoke ${name}`);
  console.log(`one picture with an ambulance, at ${node.name}`);
  console.log("   at ms  took ms");
  for (const line of await traces.tree(traceId, last)) console.log(line);
  return answer;
}

function show(what, answers) {
  console.log(what);
  for (const name of new Set(answers.map((answer) => answer.name))) {
    const latencies = answers
      .filter((answer) => answer.name === name)
      .map(({ latencyMs }) => latencyMs)
      .sort((a, b) => a - b);
    const at = (share) => latencies[Math.ceil(latencies.length * share) - 1].toFixed(1);
    const count = String(latencies.length).padStart(3);
    console.log(`  ${name.padEnd(22)} ${count} requests   p50 ${at(0.5)} ms   p95 ${at(0.95)} ms`);
  }
}

try {
  const traces = new Traces();
  undo.push(() => traces.close());
  // Of all requests those alone are recorded that ask for it.
  const flags = ["--otlp", await traces.listen(), "--trace-ratio", "0"];
  const nodes = await startCluster(["cloud", "edge1", "edge2"], dir, undo, flags);
  const [cloud, ...edges] = nodes;
  await deploy(cloud);
  const cities = edges.map((_, at) => new City(at + 1));
  const sendAll = async () => (await Promise.all(edges.map((e, at) => send(e, cities[at])))).flat();
  const all = [];

  all.push(...(await sendAll()));
  show("together", all);
  const one = await showOne(edges[0], traces);
  for (const { relay } of nodes) relay.cut();
  const parted = await sendAll();
  show("the edges are cut off", parted);
  console.log(`  ${await waiting(edges)} messages wait at the edges`);
  for (const { relay } of nodes) relay.mend();
  all.push(...parted, ...(await sendAll()));
  console.log(
    `healed; the last message arrived ${await delivered(nodes)} ms after the last request`,
  );

  const sent = messagesOf([one, ...all]);
  const isDelivered = await showMessages(sent, edges);
  const dead = await Promise.all(nodes.map((node) => messages(node, "dead")));
  const [seen, counted] = [sent["traffic-statistics"], await pictures(cloud)];
  console.log(`${seen} pictures were sent, ${counted} counted; dead letters: ${dead.join(", ")}`);
  if (!isDelivered || counted !== seen || dead.some((count) => count > 0)) process.exitCode = 1;
} finally {
  for (const step of undo.reverse()) await step();
}
