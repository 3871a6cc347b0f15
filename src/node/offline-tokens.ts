import { join } from "node:path";

import { StoredTokens } from "../access/stored-tokens.js";
import { type MadeToken, type TokenRequest, Tokens } from "../access/tokens.js";
import { systemClock } from "../ports/clock.js";
import { acquireGuardian } from "../runtimes/guardian.js";
import { createLmdbDriver } from "../storage/lmdb.js";
import { NODE_STORE, STORES_FOLDER } from "./data-dir.js";

/**
 * Makes a token in the data directory of a node that is stopped: it counts from the node's next start
 * on, in a cluster on all nodes. So somebody who has the machine always has a way in.
 * @throws EnokiError `ENOKI_DATA_DIR_IN_USE` while the node runs, `ENOKI_TOKEN_EXISTS`
 */
export async function createTokenOffline(
  dataDir: string,
  request: TokenRequest,
): Promise<MadeToken> {
  const silent = (): void => {};
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  const guardian = await acquireGuardian({ dataDir, logger });
  try {
    const driver = createLmdbDriver({
      dir: join(dataDir, STORES_FOLDER),
      usesLastSpace: () => true,
    });
    const storage = await driver.open(NODE_STORE);
    try {
      const book = new StoredTokens(storage);
      // Whether there is another admin is for the node to know; here the first one may be made.
      return await new Tokens({ book, hasAdminToken: true, clock: systemClock }).create(request);
    } finally {
      await storage.close();
    }
  } finally {
    await guardian.release();
  }
}
