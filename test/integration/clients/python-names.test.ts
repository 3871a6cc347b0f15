import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";

import * as library from "../../../src/client/index.js";

const CLIENT_DIR = join(import.meta.dirname, "../../../clients/python");

const client = library.connect("http://127.0.0.1:1");
const kv = client.kv("names");

/** What both libraries give to hold in the hand, by its name, and in Python how it is come by. */
const OBJECTS = {
  client: { js: client, python: "client" },
  functions: { js: client.functions, python: "client.functions" },
  keygroups: { js: client.keygroups, python: "client.keygroups" },
  invocations: { js: client.invocations, python: "client.invocations" },
  tokens: { js: client.tokens, python: "client.tokens" },
  secrets: { js: client.secrets, python: "client.secrets" },
  kv: { js: kv, python: 'client.kv("names")' },
  batch: { js: kv.batch(), python: 'client.kv("names").batch()' },
  counter: { js: kv.counter("k"), python: 'client.kv("names").counter("k")' },
  set: { js: kv.setOf("k"), python: 'client.kv("names").set_of("k")' },
  map: { js: kv.map("k"), python: 'client.kv("names").map("k")' },
} as const;

/** Names that only Python has, and why. */
const PYTHON_ONLY: Readonly<Record<string, readonly string[]>> = {
  // The name that the command line has.
  client: ["invoke"],
  // In JavaScript every JSON operation has a method of its own already.
  kv: ["operate"],
};

/** Every name of an object that is no symbol and not private. */
function namesOf(object: object): string[] {
  const names = new Set(Object.keys(object));
  for (let at = object; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  names.delete("constructor");
  return [...names];
}

/** As Python writes it: `getMany` is `get_many`, and a keyword gets a line behind it. */
function inPython(name: string): string {
  if (name === name.toUpperCase()) return name;
  const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return snake === "import" ? "import_" : snake;
}

let python: Readonly<Record<string, readonly string[]>>;

beforeAll(async () => {
  const shown = Object.entries(OBJECTS).map(([name, it]) => `"${name}": names(${it.python})`);
  const program = `import json, enoki_client
def names(it): return [name for name in dir(it) if not name.startswith("_")]
client = enoki_client.connect("http://127.0.0.1:1")
print(json.dumps({"module": enoki_client.__all__, ${shown.join(", ")}}))`;
  const env = { ...process.env, PYTHONPATH: CLIENT_DIR, PYTHONDONTWRITEBYTECODE: "1" };
  const { stdout } = await promisify(execFile)("python3", ["-c", program], { env });
  python = JSON.parse(stdout) as typeof python;
});

describe("the Python client has the names of enoki/client, and no others", () => {
  test.each(Object.entries(OBJECTS))("%s", (name, { js }) => {
    const wanted = [...namesOf(js).map(inPython), ...(PYTHON_ONLY[name] ?? [])];
    expect([...(python[name] ?? [])].sort()).toEqual(wanted.sort());
  });

  test("the module", () => {
    const values = Object.keys(library);
    expect(python["module"]).toEqual(expect.arrayContaining(values));
  });
});
