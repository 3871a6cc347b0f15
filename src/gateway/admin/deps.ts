import type { Access } from "../../access/access.js";
import type { Tokens } from "../../access/tokens.js";
import type { Logger } from "../../ports/logger.js";
import type { FunctionsFacade, InvocationsFacade } from "../../functions/facade.js";
import type { KeygroupOverview } from "../../keygroups/overview/overview.js";
import type { ReplicasFacade } from "../../keygroups/replicas-facade.js";
import type { Grants } from "../../keygroups/grants.js";
import type { KeygroupsFacade } from "../../keygroups/types.js";
import type { EnokiError } from "../../core/errors.js";
import type { FunctionName, KeygroupName } from "../../core/ids.js";
import type { Secrets } from "../../secrets/secrets.js";
import type { DataForwarding } from "./forwarding.js";
import type { GuestKind, Isolation } from "../../ports/runtime.js";

/** What a node tells about itself (`GET /v1/node`). */
export interface NodeInfo {
  readonly name: string;
  readonly version: string;
  /** Base URLs; `null` = the port is off. */
  readonly addresses: {
    readonly functions: string | null;
    readonly admin: string | null;
    readonly coap?: string | null;
    readonly grpc?: string | null;
  };
  /** Who may call functions: everybody, or bearers of the token. */
  readonly access: "public" | "token";
  readonly runtimes: Readonly<
    Record<GuestKind, { readonly version: string } | { readonly missing: string }>
  >;
  readonly isolation: {
    readonly available: readonly Isolation[];
    /** Why `sandbox` is not available, and the fix. */
    readonly sandboxMissing?: string;
    readonly memoryLimit: string;
  };
  readonly storage: { readonly driver: string; readonly dataDir: string | null };
}

/** A node of the cluster, as this one knows it (`GET /v1/nodes`). */
export interface KnownNode {
  readonly name: string;
  readonly self: boolean;
  readonly state: "up" | "away";
  readonly version: string;
  readonly platform: string;
  readonly python?: string;
  readonly storage: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly links: readonly string[];
  readonly functions: readonly string[];
  readonly keygroups: readonly string[];
}

/** Everything that the admin port works with; the composition root brings it together. */
export interface AdminDeps {
  readonly functions: FunctionsFacade;
  /** Why triggers of a function cannot call it from this node for now, by their `on`. */
  readonly triggerFailures: (name: FunctionName) => ReadonlyMap<string, EnokiError>;
  readonly invocations: InvocationsFacade;
  readonly keygroups: KeygroupsFacade;
  /** Keygroups over all their members; `undefined`: the node stands alone. */
  readonly overview: Pick<KeygroupOverview, "replication" | "key"> | undefined;
  /** Other nodes that may have what is not here; `undefined` = there is none. */
  readonly forwarding?: DataForwarding | undefined;
  /** `undefined`: the node stands alone. */
  readonly replicas: ReplicasFacade | undefined;
  /** @throws EnokiError `ENOKI_KEYGROUP_IN_USE`, `ENOKI_KEYGROUP_NOT_FOUND` */
  readonly removeKeygroup: (name: KeygroupName) => Promise<void>;
  readonly node: () => NodeInfo;
  /** All nodes that are known, by name. */
  readonly nodes: () => readonly KnownNode[];
  /** False while starting and while draining. */
  readonly isReady: () => boolean;
  /** Aborted when the node begins to drain: streams that have no end of their own end then. */
  readonly draining: AbortSignal;
  /** All metrics in Prometheus's text format. */
  readonly metrics: () => Promise<string>;
  /** Who asks; `undefined` = other nodes, which have asked before. */
  readonly access: Pick<Access, "isOpen" | "admit"> | undefined;
  readonly tokens: Tokens;
  readonly grants: Grants;
  readonly secrets: Pick<Secrets, "seal" | "reseal" | "compare">;
  /** Base URL of the function port, without a slash at the end. */
  readonly functionUrl: () => string;
  /** Allow tinyFaaS's `/uploadURL`: the node then fetches what a client names. */
  readonly allowUploadUrl: boolean;
  readonly logger: Logger;
}
