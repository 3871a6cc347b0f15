import { FRAME, REPLY_STATUS } from "../../channel/frames.js";
import { EnokiError } from "../../core/errors.js";
import { encodeAnswer } from "../../keygroups/remote/operation-request.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { Canary } from "./canary.js";

/** Faults of what clients rely on: sessions, and operations that take place elsewhere. */
export const CLIENT_CANARIES: readonly Canary[] = [
  {
    name: "forgetsItsWrites",
    is: "reads do not wait for what their client has written",
    findsIt: /^READ YOUR WRITES/,
    faulty: { token: (call) => (call === "read" ? "read" : "all") },
    plan: {},
  },
  {
    name: "forgetsItsReads",
    is: "reads do not wait for what their client has read",
    findsIt: /^MONOTONIC READS/,
    faulty: { token: (call) => (call === "read" ? "written" : "all") },
    plan: {},
  },
  {
    name: "writesBeforeItsWrites",
    is: "writes do not wait for what their client has written",
    findsIt: /^MONOTONIC WRITES/,
    faulty: { token: (call) => (call === "write" ? "read" : "all") },
    plan: {},
  },
  {
    name: "writesBeforeItsReads",
    is: "writes do not wait for what their client has read",
    findsIt: /^WRITES FOLLOW READS/,
    faulty: { token: (call) => (call === "write" ? "written" : "all") },
    plan: {},
  },
  {
    name: "openGate",
    is: "a replica takes every session for one that it covers",
    findsIt: /^(READ YOUR WRITES|MONOTONIC|WRITES FOLLOW)/,
    faulty: { gate: (gate) => void (gate.enter = () => undefined) },
    plan: {},
  },
  {
    name: "answersUnsynced",
    is: "under strict, an answer shows what a power cut may take",
    findsIt: /^SHOWN/,
    faulty: { gate: (gate) => void (gate.whenKept = (then) => then()) },
    plan: { durability: "strict", faults: ["powerCut", "slowDisk"] },
  },
  {
    name: "asksTwice",
    is: "an operation is asked for twice, to be on the safe side",
    findsIt: /^TWICE/,
    faulty: { requests: askTwice },
    plan: {},
  },
  {
    name: "lostIsRefused",
    is: "an operation whose answer is lost is said not to have taken place",
    findsIt: /^REFUSED/,
    faulty: {
      requests: (requests) =>
        onLostAnswer(requests, () => {
          throw new EnokiError("ENOKI_VERSION_CONFLICT");
        }),
    },
    plan: {},
  },
  {
    name: "lostIsDone",
    is: "an operation whose answer is lost is said to have taken place",
    findsIt: /^ACKNOWLEDGED/,
    faulty: {
      requests: (requests) => onLostAnswer(requests, () => encodeAnswer(DONE)),
    },
    plan: {},
  },
];

/** What an instance gets of a write that is done. */
const DONE = {
  type: FRAME.reply,
  stalenessMs: undefined,
  session: "",
  payload: Buffer.of(REPLY_STATUS.ok, 0),
};

/** Gives what `instead` gives where a request has an unknown outcome. */
function onLostAnswer(requests: PeerRequests, instead: () => Uint8Array): void {
  const request = requests.request.bind(requests);
  requests.request = async (...asked) => {
    try {
      return await request(...asked);
    } catch (error) {
      const isLost = error instanceof EnokiError && error.code === "ENOKI_OUTCOME_UNKNOWN";
      if (isLost) return instead();
      throw error;
    }
  };
}

function askTwice(requests: PeerRequests): void {
  const request = requests.request.bind(requests);
  requests.request = (...asked) => {
    request(...asked).catch(() => {});
    return request(...asked);
  };
}
