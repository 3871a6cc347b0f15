import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { send } from "../../helpers/node-calls.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";
import { upload } from "./support.js";

let running: RunningNode;

beforeAll(async () => {
  running = await startNode();
});
afterAll(() => running?.remove());

const call = (name: string, body = "") =>
  send(running.functionsUrl, `/${name}`, { method: "POST", body });

/** The kv operations that the echo function does, one line each, and what it shows. */
async function shows(lines: readonly string[]): Promise<string[]> {
  return (await call("kvecho", lines.join("\n"))).text.split("\n");
}

describe("the prototype's kv", () => {
  beforeAll(async () => {
    const { status, text } = await upload(running, "kv-echo", "python3-kv");
    expect(status, text).toBe(200);
  });

  test("read gives a list of str, and raises for a missing key", async () => {
    const shown = await shows([
      "read a",
      "update a 1",
      "read a",
      "update a 2",
      "read a",
      "delete a",
      "read a",
    ]);
    expect(shown).toEqual([
      "raised Error",
      "None",
      "['1']",
      "None",
      "['2']",
      "None",
      "raised Error",
    ]);
  });

  test("scan gives values without their keys, in the order of the keys, from a key on", async () => {
    await shows(["update s1 one", "update s3 three", "update s2 two", "update t four"]);
    expect(await shows(["scan s1 2", "scan s2 10", "scan s0 1", "scan zz 5"])).toEqual([
      "['one', 'two']",
      "['two', 'three', 'four']",
      "['one']",
      "[]",
    ]);
  });

  test("update and delete are blind: neither a key that is there nor one that is missing matters", async () => {
    expect(
      await shows(["delete never", "update u 1", "update u 1", "delete u", "delete u"]),
    ).toEqual(Array.from({ length: 5 }, () => "None"));
  });

  test("has none of our names, and ours has none of theirs", async () => {
    expect(await shows(["get a", "set a b", "entry a"])).toEqual(
      Array.from({ length: 3 }, () => "raised AttributeError"),
    );
  });

  test("stores what REST sees in the function's keygroup as text", async () => {
    await shows(["update seen 12"]);
    expect(await running.client.kv("kvecho").get("seen")).toBe("12");
  });
});

test("a moving average with a pointer runs unchanged, and goes on where it was after a restart", async () => {
  expect((await upload(running, "kv-moving-average", "python3-kv", { threads: 2 })).status).toBe(
    200,
  );
  const send = async (number: number) =>
    JSON.parse((await call("kvmovingaverage", `b-${number}`)).text) as {
      average: number;
      pointer: number;
    };
  for (let i = 0; i < 10; i++) expect(await send(i * 10)).toEqual({ average: i * 5, pointer: i });
  expect((await send(100)).pointer).toBe(0);
  running = await running.restart();
  expect((await send(110)).pointer).toBe(1);
});

test("a replicated counter's writer and reader run unchanged: empty input reads", async () => {
  expect((await upload(running, "kv-replication", "python3-kv", { threads: 4 })).status).toBe(200);
  expect((await call("kvreplication")).text).toBe("No value yet");
  for (let i = 0; i < 20; i++) {
    expect(await call("kvreplication", `value ${i}`)).toMatchObject({ status: 200, text: "" });
    expect((await call("kvreplication")).text).toBe(`value ${i}`);
  }
});

describe.each(["sandbox", "process"] as const)("Listing 1 in isolation %s", (isolation) => {
  test("runs verbatim and keeps its state over calls and a restart", async () => {
    const code = await readFile(
      join(import.meta.dirname, "../../fixtures/functions/listing-1/fn.py"),
      "utf8",
    );
    expect(code).toContain('curr = kv.get(key="current")');
    const path = join(import.meta.dirname, "../../fixtures/functions/listing-1");
    const name = `listing-${isolation}`;
    await running.client.functions.deploy(name, path, { isolation });
    const line = "Hello World!\n";
    expect((await call(name)).text).toBe(line);
    // Its annotation makes the input text, whatever arrives.
    const json = { "content-type": "application/json" };
    const second = await send(running.functionsUrl, `/${name}`, {
      method: "POST",
      body: "{}",
      headers: json,
    });
    expect(second.text).toBe(line.repeat(2));
    running = await running.restart();
    expect((await call(name)).text).toBe(line.repeat(3));
    expect(await running.client.kv(name).get("current")).toBe(line.repeat(3));
  });
});
