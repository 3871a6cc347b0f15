import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import type { RunningNode } from "../../helpers/running-node.js";

const run = promisify(execFile);
const FIXTURES = join(import.meta.dirname, "../../fixtures/functions");

/** Zips a folder as tinyFaaS's scripts have Python or `zip` do it: base64, files at the top. */
export async function zipFixture(name: string): Promise<string> {
  const program = `
import base64, io, os, sys, zipfile
root, buffer = sys.argv[1], io.BytesIO()
with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, _, files in os.walk(root):
        for file in files:
            path = os.path.join(folder, file)
            archive.write(path, os.path.relpath(path, root))
print(base64.b64encode(buffer.getvalue()).decode())`;
  const { stdout } = await run("python3", ["-c", program, join(FIXTURES, name)]);
  return stdout.trim();
}

/** The same into a pipe, as `zip -r - .` writes: sizes and checksums follow the data, and folders are members. */
export async function streamFixture(name: string): Promise<string> {
  const program = `
import base64, os, sys, zipfile
class Pipe:
    data = b""
    def write(self, data):
        self.data += data
        return len(data)
    def flush(self): pass
root, pipe = sys.argv[1], Pipe()
with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, _, files in os.walk(root):
        archive.write(folder, os.path.relpath(folder, root) + "/")
        for file in files:
            path = os.path.join(folder, file)
            archive.write(path, os.path.relpath(path, root))
    assert any(member.flag_bits & 8 for member in archive.infolist()), "the sizes do not follow the data"
print(base64.b64encode(pipe.data).decode())`;
  const { stdout } = await run("python3", ["-c", program, join(FIXTURES, name)]);
  return stdout.trim();
}

/** An answer as curl shows it. */
export interface CurlAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Runs `curl URL`, with a body `curl URL --data BODY`, as tinyFaaS's scripts do: a POST that is called a form. */
export async function curl(base: string, path: string, body?: string): Promise<CurlAnswer> {
  const shown = "%{stderr}%{http_code} %{content_type}";
  const args = ["-s", "--write-out", shown, `${base}${path}`];
  // From stdin, because a zip is longer than an argument may be.
  const running = run("curl", body === undefined ? args : [...args, "--data", "@-"]);
  running.child.stdin?.end(body);
  const { stdout, stderr } = await running;
  const [status = "", ...contentType] = stderr.split(" ");
  return { status: Number(status), contentType: contentType.join(" "), text: stdout };
}

/** `upload.sh`: name, environment, threads and zip. */
export async function upload(
  running: RunningNode,
  fixture: string,
  env: string,
  options: {
    readonly name?: string;
    readonly threads?: number;
    readonly envs?: readonly string[];
  } = {},
): Promise<CurlAnswer> {
  const { name = fixture.replaceAll("-", ""), threads = 1, envs = [] } = options;
  const body = JSON.stringify({ name, env, threads, zip: await zipFixture(fixture), envs });
  return curl(running.adminUrl, "/upload", body);
}
