/** A Worker in front of one Durable Object that keeps its state in a file. */
import { DurableObject } from "cloudflare:workers";

export class State extends DurableObject {
  async prepare(valueBytes) {
    const { storage } = this.ctx;
    for (let i = 0; i < 10; i++) storage.put(`reading/${i}`, 20 + i);
    storage.put("latest", "9");
    await storage.put("large", new Uint8Array(valueBytes).fill(7));
  }

  /** Writes are not awaited: the object's output gate holds the answer back until they are stored. */
  async average(reading) {
    const { storage } = this.ctx;
    const latest = Number((await storage.get("latest")) ?? "-1") + 1;
    storage.put(`reading/${latest % 10}`, Number(reading));
    storage.put("latest", String(latest));
    const readings = [...(await storage.list({ prefix: "reading/" })).values()];
    return { count: latest + 1, average: readings.reduce((a, b) => a + b, 0) / readings.length };
  }

  async read() {
    return (await this.ctx.storage.get("large")).length;
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
