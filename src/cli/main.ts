#!/usr/bin/env node
import type { Io } from "./io.js";
import type { Serve } from "./commands/up.js";
import { run } from "./program.js";

/** why: a reader such as `head` that has seen enough is no failure. */
function endOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
  throw error;
}

function onSignal(listener: () => void): () => void {
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}

/** why: only `up` pays for loading the node. */
const serve: Serve = async (config, io) => {
  const { serve } = await import("../node/serve.js");
  return serve(config, { log: io.stderr });
};

const io: Io = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  onSignal,
  exit: (code) => process.exit(code),
};

process.stdout.on("error", endOnBrokenPipe);
// why: a node must not end because nobody reads its log any more.
process.stderr.on("error", () => {});
process.exitCode = await run(process.argv.slice(2), io, serve);
