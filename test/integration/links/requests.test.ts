import { onTestFinished, expect, test } from "vitest";

import { parseNodeName } from "../../../src/core/ids.js";
import { openWebSocketLinks } from "../../../src/links/web-socket.js";
import { PeerRequests } from "../../../src/peers/requests.js";
import { PeerRouter } from "../../../src/peers/router.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { LinkRecorder } from "../../../src/testing/links-recorder.js";
import { linkOptions } from "./node-links.js";

const patient = { timeoutMs: 20_000 };
const MIB = 1024 * 1024;

async function requestsOf(name: string): Promise<{
  readonly requests: PeerRequests;
  readonly links: Awaited<ReturnType<typeof openWebSocketLinks>>;
  readonly seen: LinkRecorder;
}> {
  const links = await openWebSocketLinks(linkOptions(name));
  onTestFinished(() => links.close());
  const requests = new PeerRequests({ links, timers: systemTimers, logger: silentLogger });
  const seen = new LinkRecorder();
  links.listen(new PeerRouter({ requests, keygroups: seen }));
  return { requests, links, seen };
}

test("a flood of requests both ways, and a download beside it, are all answered", async () => {
  const [cloud, edge] = [parseNodeName("cloud"), parseNodeName("edge")];
  const [at, from] = await Promise.all([requestsOf("cloud"), requestsOf("edge")]);
  at.requests.serve(1, ({ body }) => body);
  from.requests.serve(1, async ({ body }) => body);
  at.requests.serve(2, async function* () {
    for (let piece = 0; piece < 64; piece++) yield new Uint8Array(MIB).fill(piece);
  });
  from.links.setTarget(cloud, [`127.0.0.1:${at.links.port}`]);
  await Promise.all([from.seen.seen("up"), at.seen.seen("up")]);
  const before = from.links.traffic(cloud)?.batchesTotal as number;

  const download = (async () => {
    let sizeBytes = 0;
    for await (const piece of from.requests.stream(cloud, 2, new Uint8Array(0), patient))
      sizeBytes += piece.length;
    return sizeBytes;
  })();
  const flood = async (side: typeof at, to: typeof cloud): Promise<void> => {
    for (let round = 0; round < 10; round++) {
      const bodies = Array.from({ length: 1000 }, (_, index) => Buffer.from(`${round}.${index}`));
      const answers = await Promise.all(
        bodies.map((body) => side.requests.request(to, 1, body, patient)),
      );
      expect(
        answers.every((answer, index) => Buffer.compare(answer, bodies[index] as Buffer) === 0),
      ).toBe(true);
    }
  };
  await Promise.all([flood(from, cloud), flood(at, edge)]);
  expect(await download).toBe(64 * MIB);
  // 10,000 requests, as many answers, and credits: many to a write.
  expect((from.links.traffic(cloud)?.batchesTotal as number) - before).toBeLessThan(2000);
});
