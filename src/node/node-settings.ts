import { LIMITS } from "../core/limits.js";
import type { FunctionConfig } from "../functions/types.js";
import type { KeygroupConfig } from "../keygroups/types.js";
import type { Logger } from "../ports/logger.js";
import type { KeyRing } from "../secrets/key-ring.js";
import type { ClusterSettings } from "./cluster.js";
import type { TracingConfig } from "./tracing-config.js";

/** Everything a node is started with, checked and complete (see `config.ts` for where it comes from). */
export interface NodeSettings {
  readonly name: string;
  readonly version: string;
  /** By which functions may be deployed here. */
  readonly labels: Readonly<Record<string, string>>;
  readonly dataDir: string;
  readonly host: string;
  /** 0 = any free one; `undefined` = off. */
  readonly functionPort: number | undefined;
  readonly adminPort: number | undefined;
  /** Absent: off. */
  readonly coapPort?: number | undefined;
  readonly grpcPort?: number | undefined;
  readonly storage: "lmdb" | "memory";
  readonly adminToken: string | undefined;
  /** Whether calls need the token too. */
  readonly functionsNeedToken: boolean;
  readonly allowUploadUrl: boolean;
  /** Largest body of a call. */
  readonly bodyLimitBytes: number;
  /** How long a call may take to arrive. */
  readonly callArrivalMs: number;
  /** How long a body on the admin port may stand still. */
  readonly adminBodyIdleMs: number;
  readonly drainTimeoutMs: number;
  /** An instance without calls for so long is stopped. */
  readonly instanceIdleMs: number;
  /** Longest time a relaxed write waits for its sync. */
  readonly syncIntervalMs: number;
  /** Settings of functions that are deployed without them; `isolation` undefined = the best here. */
  readonly functionDefaults: Omit<FunctionConfig, "isolation"> & {
    readonly isolation: FunctionConfig["isolation"] | undefined;
  };
  readonly keygroupDefaults: KeygroupConfig;
  readonly pidsMax: number;
  readonly tmpBytes: number;
  /** What secrets are sealed with; absent: the node makes a key in its data directory if it is alone. */
  readonly keyRing?: KeyRing | undefined;
  readonly logger: Logger;
  /** Absent: nothing is traced. */
  readonly tracing?: TracingConfig | undefined;
  /** Absent: the node stands alone. */
  readonly cluster?: ClusterSettings | undefined;
}

/** What a node uses where nothing is said. */
export const NODE_DEFAULTS = {
  labels: {},
  bodyLimitBytes: LIMITS.requestBodyBytesMax,
  callArrivalMs: LIMITS.longestCallArrivalMs,
  adminBodyIdleMs: LIMITS.longestBodyIdleMs,
  drainTimeoutMs: 10_000,
  instanceIdleMs: 30_000,
  syncIntervalMs: 20,
  functionDefaults: {
    env: {},
    timeoutMs: 60_000,
    memoryBytes: 256 * 1024 * 1024,
    cpus: 0,
    maxInstances: 8,
    isolation: undefined,
    network: "none",
  },
  keygroupDefaults: { policy: "lww", durability: "relaxed", ttlMs: 0 },
  pidsMax: 256,
  tmpBytes: 64 * 1024 * 1024,
} as const satisfies Partial<NodeSettings>;
