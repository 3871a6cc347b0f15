import { silentLogger } from "../ports/logger.js";
import { EnokiNode } from "../node/node.js";
import { NODE_DEFAULTS } from "../node/node-settings.js";

/**
 * A node whose tracer is the port's constant that does nothing, whatever the configuration of this
 * machine says: `no-op-tracer-node.js DATA-DIR`. It prints its addresses and ends when its stdin does.
 */

const [dataDir = ""] = process.argv.slice(2);
const node = await EnokiNode.start({
  ...NODE_DEFAULTS,
  name: "bench",
  version: "0.0.0",
  dataDir,
  host: "127.0.0.1",
  functionPort: 0,
  adminPort: 0,
  storage: "lmdb",
  adminToken: undefined,
  functionsNeedToken: false,
  allowUploadUrl: false,
  logger: silentLogger,
});
const end = (): void => void node.close().then(() => process.exit());
process.stdin.resume().once("close", end).once("end", end);
process.once("SIGTERM", end);
process.stdout.write(`${JSON.stringify(node.addresses)}\n`);
