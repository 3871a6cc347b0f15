/** A Restate service without state, and a virtual object that keeps its state in the server. */
import { createServer } from "node:http2";

import * as restate from "@restatedev/restate-sdk";

// The SDK expects it, and Node has it from 22 on.
Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const { shared } = restate.handlers.object;
const BYTES = restate.serde.binary;
const READINGS = Array.from({ length: 10 }, (_, i) => `reading/${i}`);

const stateless = restate.service({
  name: "stateless",
  handlers: { noop: async () => "ok" },
});

const state = restate.object({
  name: "state",
  handlers: {
    prepare: async (ctx, valueBytes) => {
      READINGS.forEach((key, i) => ctx.set(key, 20 + i));
      ctx.set("latest", "9");
      if (valueBytes > 0) ctx.set("large", new Uint8Array(valueBytes).fill(7), BYTES);
    },

    average: async (ctx, reading) => {
      const latest = Number((await ctx.get("latest")) ?? "-1") + 1;
      ctx.set(READINGS[latest % 10], Number(reading));
      ctx.set("latest", String(latest));
      const values = await Promise.all(READINGS.map((key) => ctx.get(key)));
      const readings = values.filter((value) => value !== null);
      return { count: latest + 1, average: readings.reduce((a, b) => a + b, 0) / readings.length };
    },

    read: shared(async (ctx) => String((await ctx.get("large", BYTES)).length)),
  },
});

const handler = restate.createEndpointHandler({ services: [stateless, state] });
const server = createServer(handler);
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});

process.stdin
  .on("end", () => process.exit())
  .on("error", () => process.exit())
  .resume();
