// Why so long: one catalogue, so that no code is given twice.

/** What one error code means to a program and to a person. */
export interface ErrorDefinition {
  /** HTTP status of the problem document. */
  readonly status: number;
  /** Exit code of the command line. */
  readonly exitCode: number;
  /** One line: what happened. */
  readonly title: string;
  /** One line: what to do about it. */
  readonly fix: string;
}

function define(status: number, exitCode: number, title: string, fix: string): ErrorDefinition {
  return { status, exitCode, title, fix };
}

/**
 * Every error a user can meet, once. Codes are stable and never reused.
 * `docs/reference/errors.md` has one section each; a test holds the two together.
 *
 * Exit codes: 1 failed or not found · 2 wrong use · 3 no node answers · 4 refused (rights) ·
 * 5 the function failed · 6 address or directory in use · 7 temporarily unavailable.
 */
export const ERRORS = {
  ENOKI_INTERNAL: define(500, 1, "the node has a bug", "see the node's log and report it"),
  ENOKI_INVALID_INPUT: define(400, 2, "the request is malformed", "correct what the detail names"),
  ENOKI_INVALID_NAME: define(
    400,
    2,
    "not a valid name",
    "use letters, digits and inner hyphens, at most 63 characters",
  ),
  ENOKI_INVALID_CONFIG: define(
    400,
    2,
    "the configuration is invalid",
    "correct the setting that the detail names",
  ),
  ENOKI_INVALID_MANIFEST: define(
    400,
    2,
    "the application's manifest is invalid",
    "correct the line that the detail names",
  ),
  ENOKI_INVALID_TRIGGER: define(
    400,
    2,
    "the trigger is none",
    "correct --on or --at as the detail says",
  ),
  ENOKI_APPLICATION_CONFLICT: define(
    409,
    1,
    "the function belongs to another application",
    "use another name for one of the two, or remove the other one first",
  ),
  ENOKI_INVALID_KEY: define(400, 2, "not a valid key", "use 1 to 1,024 bytes of UTF-8"),
  ENOKI_INVALID_ARCHIVE: define(
    400,
    2,
    "the archive is corrupt or unsafe",
    "pack only regular files with relative paths inside the folder",
  ),
  ENOKI_ARCHIVE_TOO_LARGE: define(
    413,
    2,
    "the archive is too large",
    "ship less; see the limits page",
  ),
  ENOKI_INVALID_RUNTIME: define(
    400,
    2,
    "no such runtime",
    "use python, node or binary (or python3, python3-kv, nodejs)",
  ),
  ENOKI_NO_ENTRY: define(
    400,
    2,
    "no entry file or handler was found",
    "add fn.py, index.ts, fn.sh … with a handler, or say --runtime",
  ),
  ENOKI_BUILD_FAILED: define(
    422,
    5,
    "the function could not be built",
    "read the build output in the detail",
  ),
  ENOKI_LOAD_FAILED: define(
    422,
    5,
    "the function's code failed to load",
    "mend the error shown; the previous revision keeps serving",
  ),
  ENOKI_RUNTIME_UNAVAILABLE: define(
    422,
    1,
    "this node cannot run that runtime or isolation",
    "run `enoki doctor` on the node",
  ),
  ENOKI_FUNCTION_NOT_FOUND: define(
    404,
    1,
    "no such function",
    "deploy it, or list functions with `enoki functions ls`",
  ),
  ENOKI_REVISION_NOT_FOUND: define(
    404,
    1,
    "no such revision",
    "list them with `enoki functions revisions NAME`",
  ),
  ENOKI_INVOCATION_NOT_FOUND: define(
    404,
    1,
    "no such invocation, or its result is no longer kept",
    "results are kept 24 h or 64 MiB per function",
  ),
  ENOKI_KEYGROUP_NOT_FOUND: define(
    404,
    1,
    "no such keygroup",
    "ask a node that has it (--node URL), make it with `enoki keygroups create`, or list those here with `enoki keygroups ls`",
  ),
  ENOKI_KEYGROUP_EXISTS: define(
    409,
    1,
    "the keygroup exists already",
    "use it, or choose another name",
  ),
  ENOKI_KEYGROUP_IN_USE: define(
    409,
    1,
    "a function uses the keygroup",
    "remove the function first, or both with `enoki functions rm NAME --data delete`",
  ),
  ENOKI_KEY_NOT_FOUND: define(404, 1, "no such key", "the key is missing or has expired"),
  ENOKI_NOT_FOUND: define(404, 1, "no such resource", "see /v1/openapi.json for what exists"),
  ENOKI_METHOD_NOT_ALLOWED: define(
    405,
    2,
    "the resource does not take this method",
    "see the Allow header",
  ),
  ENOKI_BODY_TOO_LARGE: define(
    413,
    2,
    "the request body is too large",
    "send less; see the limits page",
  ),
  ENOKI_VERSION_CONFLICT: define(
    412,
    1,
    "the key has another version by now",
    "read it again and retry, or use update",
  ),
  ENOKI_VALUE_UNSUPPORTED: define(
    400,
    2,
    "the value cannot be stored",
    "store str, bytes or JSON with integers within ±(2^53−1) and string keys",
  ),
  ENOKI_VALUE_TOO_LARGE: define(
    413,
    2,
    "the value is larger than 16 MiB",
    "split it over several keys",
  ),
  ENOKI_TYPE_MISMATCH: define(
    409,
    1,
    "the key holds a value of another type",
    "delete it first, or use the type it has",
  ),
  ENOKI_FUNCTION_ERROR: define(500, 5, "the function threw", "see its log: `enoki logs NAME`"),
  ENOKI_INVALID_RESULT: define(
    500,
    5,
    "the function returned something that is no response",
    "return str, bytes, JSON or a response object",
  ),
  ENOKI_INSTANCE_DIED: define(
    502,
    5,
    "the function's process ended during the call",
    "see the reason and its log",
  ),
  ENOKI_OUTPUT_TOO_LARGE: define(
    502,
    5,
    "the function's output is too large",
    "return less; see the limits page",
  ),
  ENOKI_TIMEOUT: define(
    504,
    5,
    "the call took longer than allowed",
    "raise --timeout, or do less per call",
  ),
  ENOKI_CALL_DEPTH: define(
    508,
    5,
    "functions call each other too deeply",
    "end the circle of calls that the detail speaks of",
  ),
  ENOKI_TRIGGER_LOOP: define(
    508,
    5,
    "triggers call functions in a circle",
    "let one of the functions not write what a trigger listens to, then replay or delete the dead letter",
  ),
  ENOKI_CALL_STATUS: define(
    502,
    5,
    "the called function answered with no success",
    "see status and body of the error, and the log of that function",
  ),
  ENOKI_QUEUE_FULL: define(
    503,
    7,
    "too many calls are waiting",
    "retry after the time in Retry-After",
  ),
  ENOKI_OUTBOX_FULL: define(
    503,
    7,
    "too many asynchronous invocations are waiting",
    "retry later, or look at the dead letters",
  ),
  ENOKI_DRAINING: define(
    503,
    7,
    "the node is shutting down",
    "retry on another node, or in a moment",
  ),
  ENOKI_DISK_FULL: define(507, 1, "the disk is full; reads go on", "free some space, then retry"),
  ENOKI_STORAGE_FORMAT: define(
    500,
    6,
    "the data directory has another format",
    "use the Enoki version that wrote it",
  ),
  ENOKI_PROTOCOL: define(
    502,
    1,
    "a node sent what the protocol does not allow",
    "run the same version of Enoki on all nodes; the log of this one names the sender",
  ),
  ENOKI_DATA_DIR_IN_USE: define(
    409,
    6,
    "another node uses this data directory",
    "stop it, or choose another --data-dir",
  ),
  ENOKI_PORT_IN_USE: define(
    409,
    6,
    "a port is occupied",
    "free it, or choose another with the flag named",
  ),
  ENOKI_CREDENTIALS_REQUIRED: define(
    400,
    4,
    "a node that listens beyond loopback needs credentials",
    "make a token with `enoki tokens create --role admin --data-dir DIR`, or give --admin-token-file, and say --functions public|token",
  ),
  ENOKI_UNAUTHORIZED: define(
    401,
    4,
    "the token is missing, wrong or expired",
    "send Authorization: Bearer TOKEN; the command line takes the token from ENOKI_TOKEN",
  ),
  ENOKI_FORBIDDEN: define(403, 4, "not allowed", "ask for the right that the detail names"),
  ENOKI_SECRET_UNREADABLE: define(
    503,
    1,
    "a secret of the function cannot be opened on this node",
    "give the node the key that the detail names with --cluster-key-file, or set the secret anew",
  ),
  ENOKI_SECRET_NOT_FOUND: define(
    404,
    1,
    "the function has no such secret",
    "list its secrets with `enoki secrets ls FUNCTION`",
  ),
  ENOKI_CLUSTER_KEY_REQUIRED: define(
    409,
    1,
    "this node has no cluster key to seal secrets with",
    "make one with `enoki secrets init`, and start every node with --cluster-key-file FILE",
  ),
  ENOKI_TOKEN_NOT_FOUND: define(404, 1, "no such token", "list tokens with `enoki tokens ls`"),
  ENOKI_TOKEN_EXISTS: define(
    409,
    1,
    "a token has that name already",
    "choose another name, or remove the other one first",
  ),
  ENOKI_NO_ADMIN_TOKEN: define(
    409,
    1,
    "nobody would be left who may make tokens",
    "make a token with the role admin first",
  ),
  ENOKI_NODE_UNREACHABLE: define(
    503,
    3,
    "no node answers",
    "start one with `enoki up`, or set --node",
  ),
  ENOKI_PEER_UNREACHABLE: define(
    503,
    7,
    "another node cannot be reached; nothing was done",
    "retry when the link is back, or use another replica",
  ),
  ENOKI_OUTCOME_UNKNOWN: define(
    503,
    7,
    "another node did not answer; it may or may not have been done",
    "read what is there before you do it again, or use an idempotency key",
  ),
  ENOKI_WRITE_UNACKNOWLEDGED: define(
    503,
    7,
    "a write that the function did not wait for was not acknowledged",
    "read what is there; call again if the function may run twice, or use --remote-writes awaited",
  ),
  ENOKI_NAMING_UNAVAILABLE: define(
    503,
    7,
    "the naming service does not answer",
    "functions and keygroups go on meanwhile; try again when it is back",
  ),
  ENOKI_MQTT_UNREACHABLE: define(
    503,
    7,
    "the broker of a trigger does not answer",
    "start the broker, or correct its address; the node tries again by itself",
  ),
  ENOKI_MQTT_REFUSED: define(
    502,
    4,
    "the broker of a trigger refuses this node",
    "correct the user and the password in the trigger, or their rights at the broker",
  ),
  ENOKI_NAMING_REFUSED: define(
    502,
    4,
    "the naming service refuses this node, or is not the one that was meant",
    "check the user, the password and the certificates of --naming",
  ),
  ENOKI_NAMING_RECORD: define(
    500,
    1,
    "a record of the naming service cannot be read",
    "see the detail: a newer Enoki or another program wrote it",
  ),
  ENOKI_DEPLOY_INCOMPLETE: define(
    503,
    7,
    "the function is not ready on all its nodes",
    "see `enoki functions describe NAME`: pending nodes follow by themselves",
  ),
  ENOKI_NODE_NOT_FOUND: define(
    404,
    1,
    "no such node",
    "list those that are known with `enoki nodes ls`",
  ),
  ENOKI_REPLICA_NOT_FOUND: define(
    404,
    1,
    "the node has no replica of the keygroup",
    "see where it lies with `enoki keygroups describe NAME`",
  ),
  ENOKI_PLACEMENT_CONFLICT: define(
    409,
    1,
    "the keygroup's data are to lie elsewhere",
    "change that with `enoki keygroups move KEYGROUP NODE|replicate`",
  ),
  ENOKI_PLACEMENT_INCOMPLETE: define(
    503,
    7,
    "not all replicas are where they should be yet",
    "nothing is lost, and it goes on by itself: see the detail for who is missing",
  ),
  ENOKI_REPLICA_SERVES: define(
    409,
    1,
    "the keygroup still has a replica that serves",
    "take lost members away with `enoki keygroups remove-replica KEYGROUP NODE --force`",
  ),
  ENOKI_LAST_REPLICA: define(
    409,
    1,
    "the keygroup would lose its last replica",
    "add a replica elsewhere first, or drop the keygroup",
  ),
  ENOKI_UNREPLICATED: define(
    409,
    1,
    "the replica holds writes that no other member has yet",
    "wait until the members are connected, or use --force, which loses them",
  ),
  ENOKI_UNSUPPORTED: define(501, 2, "this node does not do that", "see the detail"),
  ENOKI_SLOW_READER: define(
    503,
    7,
    "a stream was read too slowly",
    "read faster, or start the stream again",
  ),
  ENOKI_SESSION_TOO_LARGE: define(
    400,
    2,
    "the session has seen too much for a token",
    "begin a new session, or use fewer keygroups in one",
  ),
  ENOKI_SESSION_NOT_REACHED: define(
    503,
    7,
    "what the session has seen has not arrived here yet",
    "retry, or call the node that was called before",
  ),
  ENOKI_SESSION_LOST: define(
    503,
    7,
    "what the session has seen is lost",
    "begin a new session; what is there now is what the other nodes have",
  ),
  ENOKI_STALE: define(503, 7, "no replica is fresh enough", "retry, or allow more staleness"),
} as const satisfies Record<string, ErrorDefinition>;

/** The code of one error in {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/**
 * An error with a stable code: bad input, a full disk, a function that threw. Bugs are
 * `AssertionError` instead.
 */
export class EnokiError extends Error {
  override readonly name = "EnokiError";
  readonly code: ErrorCode;
  /** Further members of the problem document, such as `errorType` or `reason`. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, detail?: string, extra: Readonly<Record<string, unknown>> = {}) {
    super(detail ?? ERRORS[code].title);
    this.code = code;
    this.extra = extra;
  }

  /** HTTP status that belongs to the code. */
  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** True if `code` is one of ours. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERRORS, code);
}
