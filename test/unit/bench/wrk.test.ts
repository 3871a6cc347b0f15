import { expect, test } from "vitest";

import { luaScript, parseLoad } from "../../../src/bench/wrk.js";

const OUTPUT = `Running 1s test @ http://127.0.0.1:1/
  1 threads and 32 connections
Requests/sec:   2000.00
RESULT {"requests":3000,"durationUs":1500000,"p50Us":700,"p99Us":5200,"refused":2,"broken":1}
`;

test("rates and latencies come from the line that the script prints", () => {
  expect(parseLoad(OUTPUT)).toEqual({
    requests: 3000,
    requestsPerS: 2000,
    p50Ms: 0.7,
    p99Ms: 5.2,
    refused: 2,
    broken: 1,
  });
});

test("paths are asked for in turn", () => {
  expect(luaScript({ method: "GET", paths: ["/a", "/b"] })).toContain(
    'local paths = { "/a", "/b" }\nlocal turn = 0\nfunction request()',
  );
});

test("output without a result is an error that shows it", () => {
  expect(() => parseLoad("unable to connect")).toThrow("unable to connect");
});

test("the script sends the body with its type and leaves out what is not said", () => {
  const shape = { method: "POST", body: 'say "hi"\n', contentType: "text/plain" } as const;
  const script = luaScript(shape);
  expect(script).toContain('wrk.method = "POST"\nwrk.body = "say \\"hi\\"\\n"\n');
  expect(script).toContain('wrk.headers["content-type"] = "text/plain"');
  expect(luaScript({ method: "GET" })).not.toMatch(/wrk\.body|wrk\.headers/);
});
