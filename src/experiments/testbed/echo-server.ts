/**
 * A bare server: what it takes to ask it is what network and HTTP take. `/BYTES` is answered with so
 * many bytes; `/BYTES?port=P&trips=N&bytes=B` after N trips, one after the other, to a server of its
 * kind behind port P, of B bytes each way. Ends when its stdin does.
 */
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

const agent = new Agent({ keepAlive: true });
const bodies = new Map<number, Buffer>();

process.stdin
  .on("end", () => process.exit())
  .on("error", () => process.exit())
  .resume();

const server = createServer({ keepAlive: true, noDelay: true }, (asked, response) => {
  const url = new URL(asked.url ?? "/", "http://echo");
  const answer = bodyOf(Number(url.pathname.slice(1)));
  const number = (name: string): number => Number(url.searchParams.get(name) ?? 0);
  asked.resume().once("end", () => {
    travel(number("port"), number("bytes"), number("trips")).then(
      () => response.writeHead(200, { "content-length": answer.length }).end(answer),
      () => response.writeHead(502).end(),
    );
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));

async function travel(port: number, bytes: number, trips: number): Promise<void> {
  for (let trip = 0; trip < trips; trip++) {
    await new Promise<void>((resolve, reject) => {
      const headers = { "content-length": bytes };
      request({ port, host: "127.0.0.1", path: `/${bytes}`, method: "POST", headers, agent })
        .once("response", (response) => response.resume().once("end", resolve))
        .once("error", reject)
        .end(bodyOf(bytes));
    });
  }
}

function bodyOf(bytes: number): Buffer {
  let body = bodies.get(bytes);
  if (!body) bodies.set(bytes, (body = Buffer.alloc(bytes, "a")));
  return body;
}
