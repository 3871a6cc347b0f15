import { Access } from "../access/access.js";
import { ClusterTokens } from "../access/cluster-tokens.js";
import { StoredTokens } from "../access/stored-tokens.js";
import { Tokens } from "../access/tokens.js";
import { isLoopback } from "../base/loopback.js";
import type { Directory } from "../cluster/directory.js";
import { EnokiError } from "../core/errors.js";
import type { FunctionConfig } from "../functions/types.js";
import type { Clock } from "../ports/clock.js";
import type { Storage } from "../ports/storage.js";
import type { NodeSettings } from "./node-settings.js";

/** Who may do what with a node. */
export interface NodeRights {
  readonly access: Access;
  readonly tokens: Tokens;
  /** Looks nothing up any more. */
  close(): Promise<void>;
}

/** What the rights of a node are made from. */
export interface NodeRightsOptions {
  readonly settings: NodeSettings;
  readonly nodeStore: Storage;
  /** `undefined`: the node stands alone. */
  readonly directory: Directory | undefined;
  readonly clock: Clock;
}

/**
 * Takes up the tokens that there are.
 * @throws EnokiError `ENOKI_CREDENTIALS_REQUIRED` if strangers could reach an admin port without any
 */
export function openRights(options: NodeRightsOptions): NodeRights {
  const { settings, nodeStore, directory, clock } = options;
  const { adminToken, logger } = settings;
  const stored = new StoredTokens(nodeStore);
  const inCluster = directory && new ClusterTokens({ directory, offline: stored, logger });
  const book = inCluster ?? stored;
  const access = new Access({ adminToken, tokens: book, clock });
  if (access.isOpen && settings.adminPort !== undefined && !isLoopback(settings.host)) {
    const ways = "--admin-token-file, ENOKI_ADMIN_TOKEN, or enoki tokens create --data-dir DIR";
    const detail = `the admin port on ${settings.host} reaches beyond this machine and needs a token: ${ways}`;
    throw new EnokiError("ENOKI_CREDENTIALS_REQUIRED", detail);
  }
  return {
    access,
    tokens: new Tokens({ book, hasAdminToken: adminToken !== undefined, clock }),
    close: async () => inCluster?.close(),
  };
}

/** Whether a function takes calls without a token: as it says itself, else as the node says. */
export function isPublic(
  config: Pick<FunctionConfig, "access"> | undefined,
  { functionsNeedToken }: Pick<NodeSettings, "functionsNeedToken">,
): boolean {
  return config?.access === undefined ? !functionsNeedToken : config.access === "public";
}
