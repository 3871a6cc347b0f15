import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { writeFiles } from "../../helpers/temporary-folder.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";

const SENDERS = {
  python: {
    "fn.py": `
import kv

def call(i):
    sent = []
    for version in ("never", None):
        try:
            kv.batch().check("a", version).set("a", version).send("receiver", {"sent": [i, version]}).commit()
            sent.append("committed")
        except kv.Error as error:
            sent.append(error.code)
    return sent
`,
  },
  node: {
    "index.ts": `
import { kv } from "enoki";

export async function call(i: string) {
  const sent = [];
  for (const version of ["never", null]) {
    const batch = kv.batch().check("a", version).set("a", version);
    const commit = batch.send("receiver", { sent: [i, version] }).commit();
    sent.push(await commit.then(() => "committed", (error) => error.code));
  }
  return sent;
}`,
  },
} as const;

const RECEIVER = `
import { kv } from "enoki";

export async function call(input: { sent: unknown[] }) {
  await kv.setOf<any>("received").add(input.sent);
}`;

let running: RunningNode;
let folder: string;

beforeAll(async () => {
  running = await startNode();
  folder = await mkdtemp(join(tmpdir(), "enoki-send-"));
  await writeFiles(join(folder, "receiver"), { "index.ts": RECEIVER });
  await running.client.functions.deploy("receiver", join(folder, "receiver"));
});
afterAll(async () => {
  await running?.remove();
  await rm(folder, { recursive: true, force: true });
});

test.each(["python", "node"] as const)(
  "a batch of %s sends what it commits, and nothing when it is refused",
  async (language) => {
    await writeFiles(join(folder, language), SENDERS[language]);
    await running.client.functions.deploy(language, join(folder, language));
    const received = running.client.kv("receiver");
    const answer = await running.client.call(language, language);
    expect(answer.json()).toEqual(["ENOKI_VERSION_CONFLICT", "committed"]);
    const members = (): Promise<unknown[]> => received.setOf("received").value();
    await expect.poll(members, { timeout: 20_000 }).toContainEqual([language, null]);
    expect(await members()).not.toContainEqual([language, "never"]);
  },
);
