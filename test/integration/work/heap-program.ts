/**
 * Calls a no-op function over HTTP on a node in this process, and prints the bytes in use after a
 * full collection: one line of JSON per round. Run with --expose-gc; arguments: calls per round, rounds.
 */
import { connect, type Socket } from "node:net";

import { deployFiles } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode } from "../../helpers/running-node.js";
import { bytesInUse } from "./bytes-in-use.js";

const CONNECTIONS = 32;
const [callsPerRound = 0, rounds = 0] = process.argv.slice(2).map(Number);

const running = await startNode(PROCESS_ISOLATION);
await deployFiles(running, "noop", { "index.mjs": `export const call = () => "";` });
const { hostname, port } = new URL(running.functionsUrl);
const request = Buffer.from(`POST /noop HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx`);
const sockets = Array.from({ length: CONNECTIONS }, () => connect(Number(port), hostname));
for (let round = 0; round < rounds; round++) {
  await Promise.all(
    sockets.map((socket) => callAgainAndAgain(socket, callsPerRound / CONNECTIONS)),
  );
  process.stdout.write(`${JSON.stringify(bytesInUse())}\n`);
}
for (const socket of sockets) socket.destroy();
await running.remove();

/** Makes one call after the other on one connection; an answer without a body comes in one piece. */
function callAgainAndAgain(socket: Socket, calls: number): Promise<void> {
  let left = calls;
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", (answer: Buffer) => {
      if (!answer.toString("latin1").startsWith("HTTP/1.1 200"))
        reject(new Error(answer.toString()));
      left -= 1;
      if (left > 0) {
        socket.write(request);
        return;
      }
      socket.removeAllListeners("data").removeAllListeners("error");
      resolve();
    });
    socket.write(request);
  });
}
