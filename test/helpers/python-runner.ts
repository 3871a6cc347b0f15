import { expect } from "vitest";
import { PythonGuest } from "./fake-node-python.js";

/** Runs the statements it is sent; the list `out` is the result. */
const PROGRAM = `
import json, kv, time
def call(i):
    names = {"kv": kv, "time": time, "out": []}
    exec(i, names)
    return json.dumps(names["out"], default=repr)
`;

/** The same for statements that may await; `kv` is kv.aio here, `plain` is kv. */
const ASYNC_PROGRAM = `
import asyncio, json, textwrap
import kv as plain
from kv import aio as kv
async def call(i):
    names = {"kv": kv, "asyncio": asyncio, "plain": plain, "out": []}
    exec("async def run():\\n    global out\\n" + textwrap.indent(i, "    "), names)
    await names["run"]()
    return json.dumps(names["out"], default=repr)
`;

/** A Python instance that runs what a test writes. */
export class PythonRunner extends PythonGuest {
  static async start(kind: "plain" | "async" = "plain"): Promise<PythonRunner> {
    const runner = new PythonRunner();
    await runner.loadSource(kind === "plain" ? PROGRAM : ASYNC_PROGRAM);
    return runner;
  }

  /** Runs statements and returns what they leave in `out`. */
  async run(program: string): Promise<unknown> {
    const { text, failed } = await this.call(program);
    expect(failed?.traceback).toBeUndefined();
    return JSON.parse(text as string);
  }
}
