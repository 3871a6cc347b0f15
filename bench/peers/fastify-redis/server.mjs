/** What people build by hand: Fastify, and Redis over a Unix socket. */
import Fastify from "fastify";
import { createClient, RESP_TYPES } from "redis";

const [work, socket, valueBytes] = process.argv.slice(2);
const READINGS = Array.from({ length: 10 }, (_, i) => `reading:${i}`);

const redis = createClient({ socket: { path: socket } });
// A server that ends first must not end this process with an error of its own.
redis.on("error", () => {});
const binary = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

const WORK = {
  "no-op": async () => "ok",

  // Two trips: commands of one turn of the event loop go in one, and Redis takes them in order.
  async average(request) {
    const latest = Number((await redis.get("latest")) ?? "-1") + 1;
    const [, , texts] = await Promise.all([
      redis.set(READINGS[latest % 10], request.body),
      redis.set("latest", String(latest)),
      redis.mGet(READINGS),
    ]);
    const readings = texts.filter((text) => text !== null).map(Number);
    return { count: latest + 1, average: readings.reduce((a, b) => a + b, 0) / readings.length };
  },

  read: async () => String((await binary.get("large")).length),
};

if (work !== "no-op") {
  await redis.connect();
  await Promise.all(READINGS.map((key, i) => redis.set(key, String(20 + i))));
  await redis.set("latest", "9");
  await redis.set("large", Buffer.alloc(Number(valueBytes), 7));
}

const app = Fastify();
const method = work === "average" ? "POST" : "GET";
app.route({ method, url: "/", handler: WORK[work] });
console.log(`${await app.listen({ host: "127.0.0.1", port: 0 })}/`);

process.stdin
  .on("end", () => process.exit())
  .on("error", () => process.exit())
  .resume();
