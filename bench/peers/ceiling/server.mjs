/** The ceiling: each piece of work by bare `node:http`, with LMDB in the same process. */
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

import { open } from "lmdb";

const [work, path, durability, valueBytes] = process.argv.slice(2);
const db = open({ path, encoding: "json" });
const values = open({ path: `${path}-values`, encoding: "binary" });

const WORK = {
  "no-op": () => "ok",

  async average(request) {
    const reading = Number(await text(request));
    const latest = Number(db.get("latest") ?? "-1") + 1;
    await db.batch(() => {
      db.put(`reading/${latest % 10}`, reading);
      db.put("latest", String(latest));
    });
    if (durability === "strict") await db.flushed;
    const readings = [];
    for (const { value } of db.getRange({ start: "reading/", end: "reading0" })) {
      readings.push(value);
    }
    const average = readings.reduce((a, b) => a + b, 0) / readings.length;
    return JSON.stringify({ count: latest + 1, average });
  },

  // Not copied: valid until the next read, and its length is all that is asked for.
  read: () => String(values.getBinaryFast("large").length),
};

for (let i = 0; i < 10; i++) await db.put(`reading/${i}`, 20 + i);
await db.put("latest", "9");
await values.put("large", Buffer.alloc(Number(valueBytes), 7));
await db.flushed;

const act = WORK[work];
createServer((request, response) => {
  const answer = act(request);
  if (typeof answer === "string") {
    response.end(answer);
    return;
  }
  answer.then(
    (body) => response.end(body),
    (error) => response.writeHead(500).end(String(error)),
  );
}).listen(0, "127.0.0.1", function () {
  console.log(`http://127.0.0.1:${this.address().port}/`);
});

process.stdin
  .on("end", () => process.exit())
  .on("error", () => process.exit())
  .resume();
