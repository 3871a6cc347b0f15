import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { expect, test } from "vitest";

import type { Io } from "../../../src/cli/io.js";
import { readSecrets } from "../../../src/cli/secret-values.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

const VALUE = "s3cr3t-value";

function io(
  stdin: string | Buffer = "",
  env: Record<string, string> = {},
): Io & { said: string[] } {
  const said: string[] = [];
  const sink = new Writable({ write: (chunk, _, done) => (said.push(String(chunk)), done()) });
  const rest = { stdout: sink, stderr: sink, onSignal: () => () => {}, exit: () => {} };
  return { stdin: Readable.from([Buffer.from(stdin)]), env, said, ...rest };
}

test("a value comes from a file, stdin or the environment, without the line end of a file", async () => {
  const path = join(await temporaryFolder(), "key");
  await writeFile(path, `${VALUE}\n\n`);
  const terminal = io("from stdin\r\n", { C: "from env" });
  const values = await readSecrets(terminal, [`A=@${path}`, "B=-", "C"]);
  expect(values).toEqual({ A: `${VALUE}\n`, B: "from stdin", C: "from env" });
  expect(terminal.said).toEqual([]);
});

test("a value on the command line is taken, with a word on what is better", async () => {
  const terminal = io();
  expect(await readSecrets(terminal, [`A=${VALUE}=x`])).toEqual({ A: `${VALUE}=x` });
  expect(terminal.said.join()).toMatch(/^note: the shell's history may keep the value of A/);
  expect(terminal.said.join()).not.toContain(VALUE);
});

test.each([
  [["A B=@x"], /expected NAME=@FILE/],
  [[`=${VALUE}`], /expected NAME=@FILE/],
  [["A=-", "B=-"], /stdin is good for one secret/],
  [["A=-", "A=@x"], /A stands there twice/],
  [["A"], /A: there is no such variable/],
  [["A=@/nowhere/file"], /A: cannot read \/nowhere\/file \(ENOENT\)/],
])("%j is refused", async (given, message) => {
  const reading = readSecrets(io(VALUE), given);
  await expect(reading).rejects.toThrow(message);
  await expect(reading).rejects.not.toThrow(VALUE);
});

test("what is no text is refused", async () => {
  await expect(readSecrets(io(Buffer.from([0xff, 0xfe])), ["A=-"])).rejects.toThrow(/no UTF-8/);
});
