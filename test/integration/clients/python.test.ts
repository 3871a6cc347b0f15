import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deploy } from "../cluster/store-function.js";
import {
  startNodes,
  type ClusterNode,
  type RunningCluster,
} from "../../helpers/running-cluster.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

const CLIENT_DIR = join(import.meta.dirname, "../../../clients/python");

let cluster: RunningCluster;
let one: ClusterNode;
let two: ClusterNode;

beforeAll(async () => {
  cluster = await startNodes(["one", "two"]);
  [one, two] = cluster.nodes as [ClusterNode, ClusterNode];
  await deploy(one);
  await deploy(two);
});
afterAll(() => cluster?.remove());

/** Runs a program with the client imported and `urls` as its arguments; it leaves JSON in `out`. */
async function run(program: string, ...urls: string[]): Promise<unknown> {
  const code = `import json, sys
from enoki_client import connect, EnokiError
urls = sys.argv[1:]
out = []
${program}
print(json.dumps(out))`;
  const env = { ...process.env, PYTHONPATH: CLIENT_DIR, PYTHONDONTWRITEBYTECODE: "1" };
  const { stdout } = await promisify(execFile)("python3", ["-c", code, ...urls], { env });
  return JSON.parse(stdout);
}

/** An address that takes requests and breaks their connections. */
async function breaking(): Promise<{ url: string; close: () => void }> {
  const server = createServer((request) => request.socket.destroy()).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

describe("the Python client", () => {
  test("calls functions, and gets their answers, results and errors", async () => {
    const said = await run(
      `
client = connect(urls[0])
out.append(client.call("store", "k=v").text())
answer = client.invoke("store", "k")
out.append([answer.status, answer.text(), answer.headers["content-type"], answer.staleness_ms is not None])
id = client.send("store", "later=1", idempotency_key="once")
out.append(id == client.send("store", "later=1", idempotency_key="once"))
out.append(client.result(id, wait=20).text())
for work in (lambda: client.call("nobody"), lambda: client.result("0" * 32), lambda: connect("ftp://x")):
    try:
        work()
    except EnokiError as error:
        out.append([error.code, error.status])
out.append(client.node()["name"])
`,
      one.adminUrl,
    );
    expect(said).toEqual([
      "set",
      [200, "v", "text/plain; charset=utf-8", true],
      true,
      "set",
      ["ENOKI_FUNCTION_NOT_FOUND", 404],
      ["ENOKI_INVOCATION_NOT_FOUND", 404],
      ["ENOKI_INVALID_INPUT", null],
      "one",
    ]);
  });

  test("reads and writes data with the names that functions use", async () => {
    const said = await run(
      `
kv = connect(urls[0]).kv("store")
for value in ("text", b"bytes", {"a": [1, None]}, None, ""):
    kv.set("x/y z", value)
    back = kv.get("x/y z", "missing")
    out.append(back.decode() + "!" if isinstance(back, bytes) else back)
version = kv.set("doc", 1)
try:
    kv.set("doc", 2, if_absent=True)
except EnokiError as error:
    out.append(error.code)
kv.set("doc", 2, if_version=version, ttl="1h")
entry = kv.entry("doc", max_staleness="1h")
out.append([entry.value, entry.version != version, entry.expires_at > 0, entry.staleness_ms >= 0])
out.append(kv.update("doc", lambda n: n + 1))
out.append(kv.increment("hits", 3))
out.append([kv.get("nothing"), kv.exists("nothing"), kv.delete("doc"), kv.delete("doc")])
for n in range(3):
    kv.set(f"p/{n}", n)
out.append([list(kv.scan(prefix="p/")), list(kv.keys("p/1", end="p/9", limit=1)), list(kv.keys(prefix="p/", reverse=True))])
out.append(kv.get_many(["p/0", "nothing"]))
`,
      two.adminUrl,
    );
    expect(said).toEqual([
      "text",
      "bytes!",
      { a: [1, null] },
      null,
      "",
      "ENOKI_VERSION_CONFLICT",
      [2, true, true, true],
      3,
      3,
      ["", false, true, false],
      [
        [
          ["p/0", 0],
          ["p/1", 1],
          ["p/2", 2],
        ],
        ["p/1"],
        ["p/2", "p/1", "p/0"],
      ],
      { "p/0": 0 },
    ]);
  });

  test("gathers writes, counts, explains, and carries data from one keygroup to another", async () => {
    const said = await run(
      `
client = connect(urls[0])
client.keygroups.create("copy", ttl="1h")
kv = client.kv("store")
version = kv.set("b/1", "one")
done = kv.batch().check("b/1", version).set("b/2", {"n": 2}, ttl="1h").increment("b/n", 2).delete("b/1").once("o").commit()
out.append([[v is None for v in done.versions], done.repeated])
out.append(kv.counter("c").add(5))
kv.set_of("s").add("x")
kv.map("m").set("f", [1])
out.append([kv.counter("c").value(), kv.set_of("s").value(), kv.map("m").value()])
told = kv.explain("b/2")
out.append([told["versions"][0]["node"], [r["state"] for r in told["replicas"]][0]])
out.append(kv.update("b/2", lambda found: kv.DELETE))
copy = kv.keygroup("copy")
lines = [line for line in kv.export() if line["key"] in ("c", "s", "m", "b/n")]
out.append([copy.import_(lines), copy.counter("c").value(), copy.get_many(["b/n", "b/2"])])
try:
    copy.import_([{"key": "k", "value": {"t": "str", "v": "x" * 1_100_000}}, {"key": "k2"}])
except EnokiError as error:
    out.append([error.code, error.extra["imported"], error.extra["line"]])
`,
      one.adminUrl,
    );
    expect(said).toEqual([
      [[false, false, true], false],
      5,
      [5, ["x"], { f: [1] }],
      ["one", "same"],
      null,
      [4, 5, { "b/n": 2 }],
      ["ENOKI_INVALID_INPUT", 1, 2],
    ]);
  });

  test("deploys and manages functions, keygroups, invocations and tokens", async () => {
    const folder = await temporaryFolder();
    await writeFiles(folder, {
      "fn.py": "import helper\n\ndef call(i):\n    print('called')\n    return helper.ANSWER\n",
      "helper.py": "ANSWER = 'from a folder'\n",
      "__pycache__/left.pyc": "out",
    });
    const said = await run(
      `
url, folder = urls
client = connect(url)
made = client.functions.deploy("packed", folder, {"timeout": "5s"}, wait="2m")
out.append([made["revision"], made["config"]["timeout"], client.call("packed", 1).text()])
client.functions.deploy("packed", folder, {"timeout": "6s"})
out.append([r["number"] for r in client.functions.revisions("packed")])
out.append(client.functions.rollback("packed")["config"]["timeout"])
out.append("packed" in [f["name"] for f in client.functions.list()])
out.append([line["text"] for line in client.functions.logs("packed", tail=50) if line["stream"] == "stdout"])
id = client.send("packed", 1)
client.result(id, wait=20)
out.append([i["state"] for i in client.invocations.list(function="packed")] == [client.invocations.get(id)["state"]])
try:
    client.invocations.replay(id)
except EnokiError as error:
    out.append(error.status)
client.functions.remove("packed", data="delete")
client.keygroups.create("made", policy="siblings")
out.append(client.keygroups.configure("made", ttl="2h")["ttl"])
out.append(client.keygroups.grant("made", "function:store", ["read"]))
out.append(client.keygroups.revoke("made", "function:store"))
out.append([r["node"] for r in client.keygroups.replicas("made")["replicas"]])
client.keygroups.add_replica("made", "two")
out.append(sorted(r["node"] for r in client.keygroups.replicas("made")["replicas"]))
client.keygroups.remove("made")
out.append("made" in [k["name"] for k in client.keygroups.list()])
out.append(sorted(n["name"] for n in client.nodes()))
out.append(client.tokens.list())
# A first token would close the node to the other tests; this one is refused.
for work in (lambda: client.tokens.create(role="read"), lambda: client.functions.get(".."), lambda: client.functions.deploy("x", "/nowhere")):
    try:
        work()
    except EnokiError as error:
        out.append(error.code)
`,
      one.adminUrl,
      folder,
    );
    expect(said).toEqual([
      [1, "5s", "from a folder"],
      [2, 1],
      "5s",
      true,
      ["called"],
      true,
      expect.any(Number),
      "2h",
      [{ to: "function:store", rights: ["read"] }],
      [],
      ["one"],
      ["one", "two"],
      false,
      ["one", "two"],
      [],
      "ENOKI_NO_ADMIN_TOKEN",
      "ENOKI_INVALID_INPUT",
      "ENOKI_INVALID_INPUT",
    ]);
  });

  test("reads what it wrote on another node, and what a kept session has seen", async () => {
    const said = (await run(
      `
for n in range(50):
    writer = connect(urls[0])
    writer.call("store", f"moved={n}")
    kept = writer.session
    reader = connect(urls[1], session=kept)
    out.append(reader.call("store", "moved").text() == str(n))
    writer.kv("store").set("moved", str(-n))
    reader = connect(urls[1], session=writer.session)
    out.append(reader.kv("store").get("moved") == str(-n))
both = connect(urls, session=kept)
both.call("store", "moved")
out.append(both.session)
`,
      one.adminUrl,
      two.adminUrl,
    )) as unknown[];
    expect(said.slice(0, -1)).toEqual(Array.from({ length: 100 }, () => true));
    expect(said.at(-1)).toMatch(/^[\w-]+$/);
  });

  test("goes to the next node when one is gone, if nothing has begun or it may be repeated", async () => {
    const broken = await breaking();
    try {
      const said = await run(
        `
gone, broken, node = urls
client = connect([gone, node])
out.append(client.call("store", "k=v").text())
out.append(client.kv("store").set("k", "w") != "")
client = connect([broken, node])
out.append(client.kv("store").get("k"))
client = connect([broken, node])
try:
    client.kv("store").set("k", "x")
except EnokiError as error:
    out.append(error.code)
out.append(client.call("store", "k").text())
`,
        "http://127.0.0.1:1",
        broken.url,
        one.adminUrl,
      );
      // The last call finds the port by asking, which may be repeated.
      expect(said).toEqual(["set", true, "w", "ENOKI_NODE_UNREACHABLE", "w"]);
    } finally {
      broken.close();
    }
  });

  test("watches, and leaves the watch", async () => {
    const said = await run(
      `
import threading
client = connect(urls[0])
stop = threading.Event()
def write():
    while not stop.wait(0.05):
        connect(urls[0]).kv("store").set("w/1", "seen")
threading.Thread(target=write, daemon=True).start()
for event in client.kv("store").watch(prefix="w/"):
    out.append([event["key"], event["value"]])
    break
stop.set()
`,
      one.adminUrl,
    );
    expect(said).toEqual([["w/1", "seen"]]);
  });
});
