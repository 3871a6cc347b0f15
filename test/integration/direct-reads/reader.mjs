/** The function under test: each operation reads its keygroup and says what it found. */
import { open, readdir, unlink } from "node:fs/promises";
import { kv } from "enoki";

const KEYS = 10;

const operations = {
  /** Sets and reads in turn; the answer counts the reads that did not see their write. */
  async alternate({ times }) {
    let stale = 0;
    for (let i = 0; i < times; i++) {
      await kv.set("turn", `${i}`);
      if ((await kv.get("turn")) !== `${i}`) stale++;
    }
    return stale;
  },
  get: async ({ key }) => ({ value: await kv.get(key, "missing"), exists: await kv.exists(key) }),
  getMany: async ({ keys }) => [...(await kv.getMany(keys))],
  scan: async ({ range }) => kv.scan(range).toArray(),
  keys: async ({ range }) => kv.keys(range).toArray(),
  set: async ({ key, value, ttl }) => kv.set(key, value, ttl ? { ttl } : undefined),
  delete: async ({ key }) => kv.delete(key),
  add: async ({ key, n }) => kv.counter(key).add(n),
  members: async ({ key, member }) => kv.setOf(key).add(member),

  /** Reads values that hold their own proof, for a while; the answer lists what was wrong. */
  async check({ forMs, from }) {
    const wrong = [];
    const endMs = performance.now() + forMs;
    let reads = 0;
    let latest = from;
    while (performance.now() < endMs && wrong.length < 5) {
      const found = await kv.scan({ prefix: "s/", reverse: reads % 2 === 1 }).toArray();
      const round = found[0]?.[1].n;
      const isWhole =
        found.length === KEYS &&
        found.every(
          ([key, { i, n, c }]) => key === `s/${i}` && n === round && c === (n * 31 + i) % 997,
        );
      if (!isWhole || round < latest) wrong.push({ latest, found });
      else latest = round;
      const big = await kv.get("big");
      if (big.some((byte) => byte !== big[0])) wrong.push("big");
      const one = await kv.get("s/3");
      if (one.n < latest || one.c !== (one.n * 31 + 3) % 997) wrong.push({ latest, one });
      else latest = one.n;
      if (++reads % 20 === 0) await new Promise(setImmediate);
    }
    return { reads, latest, wrong };
  },

  /** What a function might try with the file that it reads. */
  async attack() {
    const tries = {
      write: () => open("/function/store.mdb", "r+"),
      append: () => open("/function/store.mdb", "a"),
      unlink: () => unlink("/function/store.mdb"),
      lock: () => open("/function/lock.mdb", "w+"),
      async reopen() {
        const file = await open("/function/store.mdb", "r");
        await open(`/proc/self/fd/${file.fd}`, "r+");
      },
    };
    const outcomes = { files: (await readdir("/function")).sort() };
    for (const [name, attempt] of Object.entries(tries)) {
      outcomes[name] = await attempt().then(
        () => "did it",
        ({ code }) => code,
      );
    }
    return outcomes;
  },
};

export const call = async ({ op, ...input }) => ({ result: (await operations[op](input)) ?? null });
