/**
 * A node `peer` in a process of its own, for tests that stop or kill it. It dials nobody and answers
 * each message with the same bytes; on `flood` it sends all it can, and says how much was taken.
 */
import { parseNodeName } from "../../../src/core/ids.js";
import type { LinkCredentials } from "../../../src/links/identity.js";
import { LINK_TIMING } from "../../../src/links/options.js";
import { openWebSocketLinks } from "../../../src/links/web-socket.js";
import { systemClock } from "../../../src/ports/clock.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { createTurn } from "../../../src/ports/turn.js";

const [port = "0", credentials = ""] = process.argv.slice(2);
const CHUNK = new Uint8Array(64 * 1024).fill(7);
const FLOOD_BYTES = 400 * 1024 * 1024;

const links = await openWebSocketLinks({
  node: parseNodeName("peer"),
  listen: { host: "127.0.0.1", port: Number(port) },
  credentials: JSON.parse(credentials) as LinkCredentials,
  clock: systemClock,
  timers: systemTimers,
  turn: createTurn(),
  logger: silentLogger,
  random: Math.random,
  timing: LINK_TIMING,
});

let floodedBytes = 0;
let isRefused = false;

links.listen({
  up: () => {},
  down: () => process.stdout.write("down\n"),
  message: (peer, payload) => {
    if (Buffer.from(payload).toString() === "flood") flood(peer);
    else links.send(peer, "control", payload);
  },
  room: (peer) => flood(peer),
});

function flood(peer: Parameters<typeof links.send>[0]): void {
  while (floodedBytes < FLOOD_BYTES && links.send(peer, "bulk", CHUNK))
    floodedBytes += CHUNK.length;
  if (!isRefused) process.stdout.write(`refused after ${floodedBytes}\n`);
  isRefused = true;
}

process.stdout.write(`listening on ${links.port}\n`);
setInterval(() => {}, 1000);
