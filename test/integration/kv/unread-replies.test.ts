import { expect, onTestFinished, test } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import { deployFiles, send } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode } from "../../helpers/running-node.js";

const VALUE_BYTES = 1024 * 1024;
/** Twice what the node lets wait: it then takes nothing more until the function has read. */
const READS = (2 * LIMITS.channelBacklogBytesMax) / VALUE_BYTES;
const WRITES = 8;

/** Asks for everything, and writes large values behind that, before it has read one reply. */
const FUNCTIONS = {
  "async Python": {
    "fn.py": `
import asyncio, kv
async def call(i):
    value = "x" * ${VALUE_BYTES}
    await kv.aio.set("large", value)
    reads = [kv.aio.get("large") for _ in range(${READS})]
    writes = [kv.aio.set("k%d" % n, value) for n in range(${WRITES})]
    done = await asyncio.gather(*reads, *writes)
    return [sum(len(value) for value in done[:${READS}]), len(done)]
`,
  },
  "Python with threads": {
    "fn.py": `
import kv
from concurrent.futures import ThreadPoolExecutor
def call(i):
    value = "x" * ${VALUE_BYTES}
    kv.set("large", value)
    with ThreadPoolExecutor(${READS + WRITES}) as pool:
        reads = [pool.submit(kv.get, "large") for _ in range(${READS})]
        writes = [pool.submit(kv.set, "k%d" % n, value) for n in range(${WRITES})]
        return [sum(len(read.result()) for read in reads), len([one.result() for one in writes]) + ${READS}]
`,
  },
};

test.each(Object.entries(FUNCTIONS))(
  "%s that asks for more than may wait unread, and writes on, gets and writes it all",
  async (kind, files) => {
    const running = await startNode(PROCESS_ISOLATION);
    onTestFinished(() => running.remove());
    const name = kind.replaceAll(" ", "-");
    await deployFiles(running, name, files, { timeout: "60s", memory: "1g" });
    const answer = await send(running.functionsUrl, `/${name}`);
    expect(answer.text).toBe(JSON.stringify([READS * VALUE_BYTES, READS + WRITES]));
  },
);
