/** A Worker in front of one Durable Object that keeps its state in a file. */
import { DurableObject } from "cloudflare:workers";

export class State extends DurableObject {
  prepare(valueBytes) {
    const { kv } = this.ctx.storage;
    for (let i = 0; i < 10; i++) kv.put(`reading/${i}`, 20 + i);
    kv.put("latest", "9");
    kv.put("large", new Uint8Array(valueBytes).fill(7));
  }

  /** The object's output gate holds the answer back until what was written is stored. */
  average(reading) {
    const { kv } = this.ctx.storage;
    const latest = Number(kv.get("latest") ?? "-1") + 1;
    kv.put(`reading/${latest % 10}`, Number(reading));
    kv.put("latest", String(latest));
    const readings = Array.from(kv.list({ prefix: "reading/" }), ([, value]) => value);
    return { count: latest + 1, average: readings.reduce((a, b) => a + b, 0) / readings.length };
  }

  read() {
    return this.ctx.storage.kv.get("large").length;
  }
}

export default {
  async fetch(request, { STATE }) {
    const state = STATE.get(STATE.idFromName("state"));
    if (request.method === "PUT") {
      await state.prepare(Number(await request.text()));
      return new Response("prepared");
    }
    if (request.method === "POST") {
      return Response.json(await state.average(await request.text()));
    }
    return new Response(String(await state.read()));
  },
};
