/** Every bound of the system, with its unit in its name. `docs/reference/limits.md` lists them. */
export const LIMITS = {
  /** A key, in bytes of UTF-8. */
  keySizeBytesMax: 1024,
  /** A value in a keygroup. */
  valueSizeBytesMax: 16 * 1024 * 1024,
  /** Nesting of JSON in a keygroup: deeper overflows the stack of one reader or another. */
  jsonDepthMax: 1000,
  /** Brackets, names and members in one JSON operation or request: what the node has to build of it. */
  jsonPartsMax: 1_000_000,
  /** Pairs in one page of a scan. */
  scanPageItemsMax: 1000,
  /** Bytes of values in one page of a scan; a page ends early rather than exceed it. */
  scanPageBytesMax: 4 * 1024 * 1024,
  /** Operations in one batch. */
  batchOperationsMax: 1000,
  /** Body of a call. */
  requestBodyBytesMax: 16 * 1024 * 1024,
  /** How long a call may take to arrive: head and body. */
  longestCallArrivalMs: 300_000,
  /** How long a body on the admin port may stand still; long imports go on as long as they move. */
  longestBodyIdleMs: 60_000,
  /** Body of a function's response. */
  outputBytesMax: 16 * 1024 * 1024,
  /** One frame between a node and an instance: a value, its key and room for headers. */
  frameBytesMax: 20 * 1024 * 1024,
  /** What an instance may leave unread of what it was sent. */
  channelBacklogBytesMax: 32 * 1024 * 1024,
  /** Calls that one instance runs at once. */
  concurrencyMax: 1024,
  /** Calls that an instance which runs one at a time is given before it has answered the one that runs. */
  callsAheadMax: 15,
  /** Watches of one instance. */
  watchesPerInstanceMax: 1000,
  /** A packed function. */
  archiveBytesMax: 64 * 1024 * 1024,
  /** An unpacked function. */
  archiveUnpackedBytesMax: 512 * 1024 * 1024,
  /** Files in a function. */
  archiveFilesMax: 20_000,
  /** A built function with its packages, when it comes from another node. */
  artefactBytesMax: 2 * 1024 * 1024 * 1024,
  /** The list of its files. */
  artefactManifestBytesMax: 16 * 1024 * 1024,
  /** Longest wait that a timer is set for: a call's timeout, an idle instance, the drain. */
  longestWaitMs: 24 * 3_600_000,
  /** Calls and sends of functions by functions, one under the other. */
  callDepthMax: 16,
  /** Triggers of one function. */
  triggersPerFunctionMax: 32,
  /** What a function is told of a change: larger values are left out of it. */
  triggerEventBytesMax: 1024 * 1024,
  /** How long the replicas know how deep a call was that wrote what a trigger listens to. */
  triggerDepthKeptMs: 86_400_000,
  /** Calls waiting per function. */
  queueLengthMax: 1000,
  /** Async invocations waiting per function. */
  outboxLengthMax: 100_000,
  /** Log of one function, kept in memory. */
  functionLogBytesMax: 1024 * 1024,
  /** One line of a function's log; longer ones are cut. */
  logLineBytesMax: 16 * 1024,
  /** Revisions kept per function. */
  revisionsKeptMax: 10,
  /** One secret of a function. */
  secretBytesMax: 8 * 1024,
  /** All secrets of a function, as they are sealed. */
  secretsBytesMax: 24 * 1024,
  /** Secrets of a function. */
  secretsMax: 64,
  /** Results of async invocations kept per function. */
  resultsBytesMax: 64 * 1024 * 1024,
  /** Such results per function. */
  resultsMax: 10_000,
  /** How long such a result is kept. */
  resultsKeptMs: 24 * 3_600_000,
  /** How long an effect-once key is kept. */
  onceKeptMs: 7 * 86_400_000,
  /** The token of a session. */
  sessionTokenBytesMax: 2048,
  /** Idempotency keys and once keys. */
  idempotencyKeyBytesMax: 256,
  /** Tries of an async invocation before it becomes a dead letter. */
  asyncTriesMax: 5,
  /** Dead letters kept per function. */
  deadLettersMax: 10_000,
  /** One message on a link: a commit with a value, or a chunk of a catch-up. */
  linkMessageBytesMax: 24 * 1024 * 1024,
  /** What waits to be sent to one peer, on one lane of its link. */
  linkBacklogBytesMax: 32 * 1024 * 1024,
  /** Requests to one peer that wait for their reply, and those of one peer that are being served. */
  requestsPerPeerMax: 4096,
  /** Bodies of the requests of one peer that are being served. */
  requestBytesPerPeerMax: 64 * 1024 * 1024,
  /** Requests to one peer that wait until its link has room for them. */
  requestsWaitingBytesPerPeerMax: 128 * 1024 * 1024,
  /** How far the hybrid time of another member may be ahead of a node's own clock. */
  timeAheadMs: 24 * 3_600_000,
  /** Requests over CoAP that are remembered, so that repeats of them do nothing. */
  coapExchangesMax: 4096,
  /** Calls over CoAP that run or wait at once. */
  coapCallsMax: 1024,
  /** Late answers over CoAP that are repeated until they are acknowledged. */
  coapUnacknowledgedMax: 1024,
  /** Bodies over CoAP that are on their way in blocks. */
  coapTransfersMax: 1024,
  /** Bytes of all of them. */
  coapTransferBytesMax: 64 * 1024 * 1024,
  /** How long such a body may stand still. */
  coapTransferIdleMs: 60_000,
  /** Calls over one gRPC connection at once. */
  grpcCallsPerConnectionMax: 256,
  /** Metadata of one gRPC call. */
  grpcMetadataBytesMax: 16 * 1024,
  /** One record of the naming service. */
  namingRecordBytesMax: 256 * 1024,
  /** Spans of traces that wait for the collector. */
  traceSpansWaitingMax: 8192,
} as const;
