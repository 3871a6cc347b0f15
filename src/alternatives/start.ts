import type { Address, Contender, Surroundings } from "./contender.js";
import { checkFirstAnswer, SHAPES, type Work } from "./work.js";

const ANSWER_TIMEOUT_MS = 30_000;

/** A contender that takes requests. */
export interface Running extends Address {
  /** Ends all that it has started. */
  stop(): Promise<void>;
}

/** Starts a contender and asks it once. @throws Error when it answers something else than it should */
export async function startChecked(
  contender: Contender,
  surroundings: Surroundings,
  work: Work,
): Promise<Running> {
  const resources = surroundings.resources.scope();
  const stop = (): Promise<void> => resources.release();
  try {
    const address = await contender.start({ ...surroundings, resources }, work);
    checkFirstAnswer(work, await ask(address, work));
    return { ...address, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ask({ url, shape }: Address, work: Work): Promise<string> {
  const { method, body, contentType } = shape ?? SHAPES[work];
  const response = await fetch(url, {
    method,
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    ...(body === undefined ? {} : { body }),
    ...(contentType === undefined ? {} : { headers: { "content-type": contentType } }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`answered ${response.status}: ${answer}`);
  return answer;
}
