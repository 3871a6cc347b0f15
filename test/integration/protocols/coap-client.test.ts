import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { COAP_CLIENT, coapClient } from "./clients.js";
import { deployForClients } from "./functions.js";

let running: RunningNode;
let base: string;
let scratch: string;

beforeAll(async () => {
  running = await startNode({ ...PROCESS_ISOLATION, coapPort: 0 });
  base = running.node.addresses.coap ?? "";
  scratch = await mkdtemp(join(tmpdir(), "enoki-coap-"));
  await deployForClients(running);
});
afterAll(async () => {
  await running?.remove();
  await rm(scratch, { recursive: true, force: true });
});

describe.skipIf(COAP_CLIENT === undefined)("libcoap's client", () => {
  test.each(["get", "post", "put", "delete", "fetch", "patch", "ipatch"])(
    "calls with %s and a payload, and gets what the function returns",
    async (method) => {
      const { stdout, stderr } = await coapClient("-m", method, "-e", "hello", `${base}/echo`);
      expect([stdout.trim(), stderr.trim()]).toEqual(["hello", ""]);
    },
  );

  test("calls without confirmation too", async () => {
    const { stdout } = await coapClient("-N", "-m", "post", "-e", "hello", `${base}/echo`);
    expect(stdout.trim()).toBe("hello");
  });

  test("gives path, query, method and types to the function", async () => {
    const url = `${base}/asked/a/b%20c?x=1%202&y`;
    const { stdout } = await coapClient("-m", "put", "-t", "50", "-e", '{"a":1}', url);
    expect(JSON.parse(stdout)).toMatchObject({
      input: { a: 1 },
      method: "PUT",
      path: "/a/b%20c",
      query: "x=1+2&y=",
      headers: { "content-type": "application/json" },
    });
  });

  test.each([
    ["nobody", "4.04", "ENOKI_FUNCTION_NOT_FOUND"],
    ["broken", "5.00", "no wheels"],
    ["teapot", "4.04", "short and stout"],
  ])("of %s is told %s", async (name, code, detail) => {
    const { stdout, stderr } = await coapClient("-m", "get", `${base}/${name}`);
    expect(`${stdout}${stderr}`).toContain(code);
    expect(`${stdout}${stderr}`).toContain(detail);
  });

  test.each([16, 256, 1024])(
    "sends and receives 100 KB in blocks of %i bytes",
    async (sizeBytes) => {
      const size = sizeBytes === 16 ? 5000 : 100_000;
      const sent = Array.from({ length: size }, (_, i) => String(i % 10)).join("");
      const [from, to] = [join(scratch, "from"), join(scratch, "to")];
      await writeFile(from, sent);
      const args = ["-b", `${sizeBytes}`, "-m", "post", "-f", from, "-o", to, `${base}/echo`];
      const { stderr } = await coapClient(...args);
      expect(stderr.trim()).toBe("");
      expect(await readFile(to, "utf8")).toBe(sent);
    },
  );

  test("loses datagrams, and the function runs once", async () => {
    const counts: string[] = [];
    for (const lost of ["1", "1-2", "1,3"]) {
      const { stdout } = await coapClient("-l", lost, "-m", "get", `${base}/counted`);
      counts.push(stdout.trim());
    }
    const first = Number(counts[0]);
    expect(counts.map(Number)).toEqual([first, first + 1, first + 2]);
  });

  test("gets a late answer, in a message of its own", async () => {
    const { stdout } = await coapClient("-m", "post", "-e", "900", `${base}/slow`);
    expect(stdout.trim()).toBe("done");
  });
});
