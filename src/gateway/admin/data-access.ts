import * as z from "zod";

import { EnokiError } from "../../core/errors.js";
import { parseKeygroupName } from "../../core/ids.js";
import type { Session } from "../../core/session.js";
import { durationField, timerField } from "../../input/fields.js";
import { readSessionToken, writeSessionToken } from "../../keygroups/session-tokens.js";
import type { KeygroupFacade } from "../../keygroups/types.js";
import { systemClock } from "../../ports/clock.js";
import type { AdminDeps } from "./deps.js";
import { problem } from "./responses.js";
import type { AdminCall } from "./route.js";

/** How fresh a read has to be, in a query. */
export const freshQuery = {
  maxStaleness: durationField.optional(),
  onStale: z.enum(["wait", "peer", "serve", "fail"]).optional(),
  within: timerField.optional(),
};

/** The headers that every request about data takes and gives. */
export const sessionHeader = {
  name: "Enoki-Session",
  description: "What the client has seen: it is waited for, and given back with what it sees here",
};

interface FreshQuery {
  readonly maxStaleness?: number | undefined;
  readonly onStale?: "wait" | "peer" | "serve" | "fail" | undefined;
  readonly within?: number | undefined;
}

/** How long a read waits for fresher data unless it is told. */
const WITHIN_MS = 5000;

/** Work on the data of a keygroup whose replica serves here. */
type DataWork = (keygroup: KeygroupFacade) => Response | Promise<Response>;

/**
 * Answers a request about data: from the replica here, once that shows what the client's session has
 * seen, or, while none serves here or it does not come to that, from a member on another node.
 * @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND`, `ENOKI_STALE`, `ENOKI_SESSION_NOT_REACHED` …
 */
export async function onData(
  deps: AdminDeps,
  call: AdminCall<unknown>,
  work: DataWork,
): Promise<Response> {
  const { keygroup, refusal } = servingHere(deps, call);
  const token = call.request.headers.get("enoki-session") ?? "";
  if (!keygroup) return elsewhere(deps, call, refusal);
  const session = token === "" ? undefined : readSessionToken(token, systemClock);
  try {
    await (session && keygroup.sessions.admit(session));
  } catch (error) {
    const isLate = error instanceof EnokiError && error.code === "ENOKI_SESSION_NOT_REACHED";
    if (!isLate) throw error;
    return elsewhere(deps, call, error, session);
  }
  const response = await answering(() => work(keygroup));
  // Another node may have answered after all, and said what it shows.
  const told = response.headers.get("enoki-session");
  const before = told === null ? session : readSessionToken(told, systemClock);
  const seen = keygroup.sessions.seenAfter(before);
  await new Promise<void>((resolve) => {
    keygroup.sessions.whenKept(resolve);
  });
  if (seen) response.headers.set("Enoki-Session", writeSessionToken(seen, keygroup.sessions));
  return response;
}

/** The same for a read, which may ask for fresh data and says how stale they may be. */
export async function onRead(
  deps: AdminDeps,
  call: AdminCall<FreshQuery>,
  work: DataWork,
): Promise<Response> {
  return onData(deps, call, async (keygroup) => {
    const stale = await waitUntilFresh(call.query, keygroup);
    if (stale) {
      const { method, headers, signal, url } = call.request;
      const asked = url.replace(/([?&])onStale=peer(?=&|#|$)/, "$1onStale=fail");
      return elsewhere(
        deps,
        { ...call, request: new Request(asked, { method, headers, signal }) },
        stale,
      );
    }
    const { boundMs } = keygroup.freshness;
    const response = await answering(() => work(keygroup));
    response.headers.set("Enoki-Staleness-Ms", String(Math.ceil(boundMs)));
    return response;
  });
}

/** Resolves with why it is too stale, if another replica is to be asked then. */
async function waitUntilFresh(
  { maxStaleness, onStale = "wait", within = WITHIN_MS }: FreshQuery,
  { freshness }: KeygroupFacade,
): Promise<EnokiError | undefined> {
  if (maxStaleness === undefined || onStale === "serve" || freshness.boundMs <= maxStaleness) {
    return undefined;
  }
  if (onStale === "wait") await freshness.enter(maxStaleness, within);
  else if (onStale === "fail") throw freshness.tooStale(maxStaleness);
  else return freshness.tooStale(maxStaleness);
  return undefined;
}

function servingHere(
  deps: AdminDeps,
  call: AdminCall<unknown>,
): { readonly keygroup?: KeygroupFacade; readonly refusal: EnokiError } {
  const name = parseKeygroupName(call.param("keygroup"));
  try {
    const keygroup = deps.keygroups.find(name);
    const detail = `the replica of "${name}" on this node does not serve yet: ask another node`;
    const refusal = new EnokiError("ENOKI_STALE", detail);
    return keygroup.isServing ? { keygroup, refusal } : { refusal };
  } catch (error) {
    if (error instanceof EnokiError) return { refusal: error };
    throw error;
  }
}

async function elsewhere(
  { forwarding }: AdminDeps,
  call: AdminCall<unknown>,
  refusal: EnokiError,
  session?: Session,
): Promise<Response> {
  if (!forwarding) throw refusal;
  const name = parseKeygroupName(call.param("keygroup"));
  return forwarding.forward(name, call.request, refusal, session?.keygroups.get(name));
}

/** An answer also where nothing is found, for that, too, is something that a client has seen. */
async function answering(work: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EnokiError && error.status < 500) return problem(error);
    throw error;
  }
}
