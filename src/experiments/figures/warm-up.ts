import type { Answer } from "../load/answer-reader.js";

/** Calls that are made before a load, so that it meets a function that runs. */
export interface WarmUp {
  /** How many are made at once. */
  readonly workers: number;
  readonly calls: number;
  readonly call: (n: number) => Promise<Answer>;
}

/** Makes the calls. @throws Error with what the function said, if one fails */
export async function warmUp({ workers, calls, call }: WarmUp): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let n = next++; n < calls; n = next++) {
      const { status, body } = await call(n);
      if (status === 200) continue;
      throw new Error(`the function answers ${status}: ${body.toString().slice(0, 500)}`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
}
