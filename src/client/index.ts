/** Talks to a node over HTTP: `import { connect } from "enoki/client"`. */
export { connect, type Client, type ClientOptions } from "./client.js";
export type { CallOptions, CallResponse, SentInvocation } from "./calls.js";
export type { FunctionsClient } from "./functions-client.js";
export type { InvocationsClient } from "./invocations-client.js";
export type {
  ClientSetOptions,
  KeygroupClient,
  TypedEntry,
  TypedWatchEvent,
  ValueType,
} from "./keygroup.js";
export type { PageItem } from "./page-scan.js";
export type { SecretsClient } from "./secrets-client.js";
export type { TokensClient } from "./tokens-client.js";
export type { KeygroupsClient } from "./keygroups-client.js";
export type { ExportLine } from "./transfer.js";
export type {
  Explanation,
  FunctionConfig,
  FunctionInfo,
  FunctionNodeInfo,
  GrantInfo,
  InvocationInfo,
  KeygroupInfo,
  KeygroupMember,
  KeygroupReplication,
  KeygroupPlaces,
  KeygroupSettings,
  KnownNode,
  LogEntry,
  MadeToken,
  NodeInfo,
  RemovedReplica,
  RevisionInfo,
  SecretChanges,
  SecretComparison,
  SecretInfo,
  ShownConfig,
  TokenInfo,
  Undeployed,
} from "./types.js";
export { DELETE } from "../guest/types.js";
export { EnokiError } from "../core/errors.js";
