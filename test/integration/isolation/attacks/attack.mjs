// Tries one thing that a sandbox must not allow; answers `did it` or `refused: WHY`.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

const run = (program, ...args) =>
  execFileSync(program, args, { stdio: ["ignore", "pipe", "pipe"] });

function reach(target) {
  return new Promise((resolve, reject) => {
    const socket = connect(target, () => resolve(socket.destroy()));
    socket.once("error", reject);
  });
}

const held = [];

const ATTACKS = {
  read: (path) => readFileSync(path),
  list: (path) => readdirSync(path),
  write: (path) => appendFileSync(path, "#"),
  remove: (path) => rmSync(path),
  connect: (port) => reach({ host: "127.0.0.1", port: Number(port) }),
  unix: (path) => reach(path),
  signal: (pid) => process.kill(Number(pid), "SIGTERM"),
  trace: (pid) => run("perl", join(import.meta.dirname, "seize.pl"), pid),
  mount: (path) => run("mount", "-t", "tmpfs", "none", path),
  namespace: () => run("unshare", "-U", "-m", "true"),
  allocate: (size) => {
    for (let left = Number(size); left > 0; left -= 1 << 24) held.push(Buffer.alloc(1 << 24, 1));
  },
  fill: (size) => {
    const file = openSync(`${process.env.TMPDIR}/fill`, "w");
    for (let left = Number(size); left > 0; left -= 1 << 20)
      writeSync(file, Buffer.alloc(1 << 20, 120));
  },
  bomb: async (seconds) => {
    for (let count = 0; count < 2000; count++) {
      const child = spawn("sleep", [seconds], { stdio: "ignore", detached: true });
      await new Promise((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", (error) => reject(new Error(`after ${count}: ${error.message}`)));
      });
    }
  },
  spin: () => {
    for (;;);
  },
  stubborn: (seconds) => {
    process.on("SIGTERM", () => {});
    spawn("sleep", [seconds], { stdio: "ignore" });
    const end = Date.now() + 100_000;
    return new Promise((resolve) => {
      // In steps, so that the signal's handler can run: it is not the loop that holds it off.
      const step = () => (Date.now() < end ? setImmediate(step) : resolve());
      step();
    });
  },
};

export async function call(input) {
  const [name, ...rest] = input.split(" ");
  try {
    await ATTACKS[name](rest.join(" "));
  } catch (error) {
    return `refused: ${error.message}`;
  }
  return "did it";
}
