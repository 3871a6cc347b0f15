import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { SessionFile } from "../../../src/cli/session-file.js";
import { ClientSession } from "../../../src/client/session.js";
import { parseKeygroupName } from "../../../src/core/ids.js";
import { encodeSession } from "../../../src/core/session.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

function tokenOf(keygroup: string, counter: number): string {
  const seen = [{ epoch: 1, restart: 1, counter }];
  const entry = { generation: 1, epoch: 1, seen };
  return encodeSession({
    hlc: counter,
    keygroups: new Map([[parseKeygroupName(keygroup), entry]]),
  });
}

function merged(...tokens: string[]): string {
  const session = new ClientSession();
  for (const token of tokens) session.note(token);
  return session.token;
}

test("a session file begins empty, and keeps what was seen for its owner alone", async () => {
  const folder = await temporaryFolder();
  const file = new SessionFile(join(folder, "s"));
  expect(await file.read()).toBe("");
  await file.write("");
  expect(await readdir(folder)).toEqual([]);
  await file.write(tokenOf("a", 3));
  expect(await file.read()).toBe(tokenOf("a", 3));
  expect((await stat(join(folder, "s"))).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(["s"]);
});

test("what another command has written meanwhile stays", async () => {
  const path = join(await temporaryFolder(), "s");
  await new SessionFile(path).write(tokenOf("a", 3));
  await new SessionFile(path).write(tokenOf("b", 5));
  expect(await new SessionFile(path).read()).toBe(merged(tokenOf("a", 3), tokenOf("b", 5)));
});

test("a file that holds no session, or cannot be written, is refused and left alone", async () => {
  const folder = await temporaryFolder();
  const path = join(folder, "notes");
  await writeFile(path, "milk\n");
  const refused = { code: "ENOKI_INVALID_INPUT" };
  await expect(new SessionFile(path).read()).rejects.toMatchObject(refused);
  await expect(new SessionFile(path).write(tokenOf("a", 1))).rejects.toMatchObject(refused);
  expect(await readFile(path, "utf8")).toBe("milk\n");
  const nowhere = new SessionFile(join(folder, "none", "s"));
  await expect(nowhere.write(tokenOf("a", 1))).rejects.toMatchObject(refused);
  await expect(new SessionFile(folder).read()).rejects.toMatchObject(refused);
});
