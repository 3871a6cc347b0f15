import { expect, onTestFinished, test } from "vitest";

import { json, startFakeNode } from "../client/fake-node.js";
import { runCli } from "./run-cli.js";

test("invocations ls asks for what its filters say, and takes no other option for one", async () => {
  const node = await startFakeNode();
  onTestFinished(() => node.close());
  const enoki = (args: readonly string[]) => runCli(args, { node: node.url });
  node.on("GET /v1/invocations", (_, response) => json(response, 200, { invocations: [] }));
  const flags = ["--node", node.url, "--json", "--function", "hello", "--state", "dead"];
  expect((await enoki(["invocations", "ls", ...flags])).stdout).toBe("[]\n");
  expect((await enoki(["invocations", "ls", "--limit", "5"])).code).toBe(0);
  expect(node.requests.map(({ url }) => url).filter((url) => url.includes("invocations"))).toEqual([
    "/v1/invocations?function=hello&state=dead&limit=100",
    "/v1/invocations?limit=5",
  ]);
});
