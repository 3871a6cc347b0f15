import { randomBytes } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { parseFunctionName, parseNodeName } from "../../../src/core/ids.js";
import { ArtefactIntake } from "../../../src/deployment/artefact-intake.js";
import {
  ARTEFACT_METHOD,
  decodeArtefactRequest,
  encodeArtefactRequest,
} from "../../../src/deployment/artefact-request.js";
import { hashManifest, writeManifest } from "../../../src/functions/artefact-manifest.js";
import { sha256 } from "../../helpers/hashes.js";
import {
  DeploymentCluster,
  type DeploymentNode,
  deployText,
} from "../../helpers/deployment-cluster.js";
import { codeOf } from "../../helpers/directories.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { eventually } from "../../helpers/eventually.js";

const fn = parseFunctionName("weather");
const edge1 = parseNodeName("edge1");
const edge3 = parseNodeName("edge3");
const LARGE = randomBytes(3 * 1024 * 1024).toString("latin1");

let cluster: DeploymentCluster;

beforeEach(() => {
  cluster = new DeploymentCluster();
});

afterEach(() => cluster.close());

async function serves(node: DeploymentNode, text: string): Promise<void> {
  await vi.waitFor(() => expect(node.serving(fn) === text).toBe(true), { timeout: 15_000 });
}

function reasonOf(from: DeploymentNode, node: string): string {
  const place = from.deployment.functions.places(fn).find((each) => each.node === node);
  return `${place?.state} ${place?.reason}`;
}

async function firstArtefact(node: DeploymentNode): Promise<string> {
  return node.local.recordOf(fn)?.revisions[0]?.artefact as string;
}

test("a link that breaks in the middle costs only what was not there yet", async () => {
  const one = await cluster.add("edge1");
  const asked: number[] = [];
  const two = await cluster.add("edge2", {
    wrapRequests: (requests) => ({
      serve: (...given) => requests.serve(...given),
      stream: (to, method, body, options) => {
        asked.push(decodeArtefactRequest(body).from);
        const pieces = requests.stream(to, method, body, options);
        return (async function* () {
          let count = 0;
          for await (const piece of pieces) {
            yield piece;
            count += 1;
            if (asked.length <= 2 && count === 5) {
              cluster.hub.cut(to, parseNodeName("edge2"));
              setTimeout(() => cluster.hub.connect(to, parseNodeName("edge2")), 100);
            }
          }
        })();
      },
    }),
  });
  await deployText(one, fn, LARGE, { isAll: true });
  await serves(two, LARGE);
  expect(asked[0]).toBe(0);
  expect(Math.max(...asked)).toBeGreaterThan(256 * 1024);
  expect(await two.store.verify(await firstArtefact(two))).toEqual([]);
});

test("when the first node is gone another one gives the code", async () => {
  const [one, two] = [await cluster.add("edge1"), await cluster.add("edge2")];
  await deployText(one, fn, "given on", { nodes: [edge1, two.name, edge3] });
  await serves(two, "given on");
  await one.close();
  const three = await cluster.add("edge3");
  await serves(three, "given on");
});

test("files that do not have their hash are never used; the right ones are taken later", async () => {
  const one = await cluster.add("edge1");
  await deployText(one, fn, "genuine", { nodes: [edge1, parseNodeName("edge2")] });
  const file = join(one.store.path(await firstArtefact(one)), "code/fn.py");
  await chmod(file, 0o644);
  await writeFile(file, "genuinE");
  const two = await cluster.add("edge2");
  await eventually(() => expect(reasonOf(two, "edge2")).toContain("another content of code/fn.py"));
  expect(reasonOf(two, "edge2")).toMatch(/^pending ENOKI_PEER_UNREACHABLE/);
  expect(two.serving(fn)).toBeUndefined();
  expect(await two.store.list()).toEqual([]);
  await writeFile(file, "genuine");
  await serves(two, "genuine");
});

test("a full disk is told, leaves nothing behind, and ends by itself", async () => {
  const one = await cluster.add("edge1");
  let isFull = true;
  const two = await cluster.add("edge2", {
    wrapStore: (store) => ({
      ...store,
      add: async (dir) => {
        if (isFull) throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
        return store.add(dir);
      },
    }),
  });
  await deployText(one, fn, "much", { isAll: true });
  await eventually(() => expect(reasonOf(one, "edge2")).toMatch(/^failed ENOKI_DISK_FULL/));
  expect(await two.store.list()).toEqual([]);
  isFull = false;
  await serves(two, "much");
  await eventually(() => expect(reasonOf(one, "edge2")).toBe("ready undefined"));
});

test("code is given only to nodes that the function's record names, and only its own", async () => {
  const one = await cluster.add("edge1");
  const ask: ((request: Uint8Array) => Promise<unknown>)[] = [];
  const two = await cluster.add("edge2", {
    wrapRequests: (requests) => {
      ask.push(async (body) => {
        const options = { timeoutMs: 5000 };
        for await (const _ of requests.stream(edge1, ARTEFACT_METHOD, body, options));
      });
      return requests;
    },
  });
  await deployText(one, fn, "secret");
  const hash = await firstArtefact(one);
  const request = { function: fn, hash, withManifest: true, from: 0 };
  const asTwo = ask[0] as (request: Uint8Array) => Promise<unknown>;
  expect(await codeOf(asTwo(encodeArtefactRequest(request)))).toBe("ENOKI_FORBIDDEN");
  const other = parseFunctionName("other");
  await deployText(one, other, "open", { nodes: [two.name] });
  const foreign = encodeArtefactRequest({ ...request, function: other });
  expect(await codeOf(asTwo(foreign))).toBe("ENOKI_NOT_FOUND");
  expect(await codeOf(asTwo(Buffer.from("{}")))).toBe("ENOKI_PROTOCOL");
});

/** Feeds an intake with a list of files and their content. */
async function take(
  files: Parameters<typeof writeManifest>[0],
  content: Uint8Array,
  { hash = hashManifest(files), pieceBytes = 1 << 20 } = {},
): Promise<ArtefactIntake> {
  const text = Buffer.from(writeManifest(files));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  const all = Buffer.concat([size, text, content]);
  const intake = new ArtefactIntake(hash, join(await temporaryFolder(), "intake"));
  for (let at = 0; at < all.length; at += pieceBytes) {
    await intake.take(all.subarray(at, at + pieceBytes));
  }
  await intake.close();
  return intake;
}

function file(path: string, text: string) {
  return { path, isExecutable: false, sizeBytes: text.length, sha256: sha256(text) };
}

test("an artefact comes in pieces of any size", async () => {
  const files = [file("code/a.txt", "one"), file("code/b", ""), file("code/c/d.txt", "two")];
  for (const pieceBytes of [1, 2, 5, 1000]) {
    const intake = await take(files, Buffer.from("onetwo"), { pieceBytes });
    expect(intake.isComplete).toBe(true);
    expect(await readFile(join(intake.dir, "code/c/d.txt"), "utf8")).toBe("two");
    expect(await readFile(join(intake.dir, "code/b"), "utf8")).toBe("");
  }
});

test.each([
  ["a path outside", [file("../x", "x")], "x"],
  ["an absolute path", [file("/etc/x", "x")], "x"],
  ["a path with a dot", [file("code/./x", "x")], "x"],
  ["the store's own file", [file("manifest.json", "x")], "x"],
  ["a negative size", [{ ...file("code/x", "x"), sizeBytes: -1 }], "x"],
  ["an absurd size", [{ ...file("code/x", "x"), sizeBytes: 2 ** 50 }], "x"],
  ["another content", [file("code/x", "x")], "y"],
  ["more content", [file("code/x", "x")], "xx"],
])("what promises %s is refused", async (_, files, content) => {
  expect(await codeOf(take(files, Buffer.from(content)))).toBe("ENOKI_PROTOCOL");
});

test("another list than the one asked for, and an endless one, are refused", async () => {
  const other = { hash: "0".repeat(64) };
  expect(await codeOf(take([file("code/x", "x")], Buffer.from("x"), other))).toBe("ENOKI_PROTOCOL");
  const intake = new ArtefactIntake("0".repeat(64), join(await temporaryFolder(), "intake"));
  expect(await codeOf(intake.take(Buffer.alloc(4, 0xff)))).toBe("ENOKI_PROTOCOL");
});
