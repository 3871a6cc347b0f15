import { Agent, request } from "node:http";

import * as enoki from "enoki";

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const VALUE = "x".repeat(100);

/** Ways to have something done, each timed by whoever wants it done. */
const WORK = {
  call: ({ target }) => enoki.call(target, VALUE),
  gateway: ({ url }) => post(url),
  set: (_, n) => enoki.kv.set(`key/${n % 1000}`, VALUE),
  send: ({ target }) => enoki.send(target, VALUE),
};

/** Does the work so many times, `width` at once; returns how long each took, in ms. */
export async function call(asked) {
  const { what, count, width = 1 } = asked;
  const work = WORK[what];
  const tookMs = [];
  let next = 0;
  const worker = async () => {
    for (let n = next++; n < count; n = next++) {
      const startMs = performance.now();
      await work(asked, n);
      tookMs.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return tookMs;
}

/** Over the one connection that stays open. */
function post(url) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "text/plain", "content-length": VALUE.length };
    request(url, { agent, method: "POST", headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
      response.resume().once("end", resolve);
    })
      .once("error", reject)
      .end(VALUE);
  });
}
