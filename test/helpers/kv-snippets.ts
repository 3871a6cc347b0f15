import { GuestUnderTest, IMPORTS } from "./fake-node-js.js";

/** Runs any snippet as a call; what it returns comes back as JSON, an EnokiError as its code. */
const RUNNER = `${IMPORTS}
  const AsyncFunction = (async () => {}).constructor;
  const show = (value) => value instanceof Uint8Array ? { bytes: [...value] } : value instanceof Map ? [...value] : value === undefined ? "undefined" : value;
  export async function call(code, ctx) {
    try {
      const result = await new AsyncFunction("kv", "ctx", "EnokiError", code)(kv, ctx, EnokiError);
      return JSON.stringify(Array.isArray(result) ? result.map(show) : show(result));
    } catch (error) {
      if (error instanceof EnokiError) return JSON.stringify({ code: error.code });
      throw error;
    }
  }`;

/** A guest in which snippets of code use `kv`. */
export class KvSnippets {
  readonly guest: GuestUnderTest;

  constructor(guest: GuestUnderTest) {
    this.guest = guest;
  }

  static async start(): Promise<KvSnippets> {
    const guest = await GuestUnderTest.start();
    await guest.load({ "main.mjs": RUNNER });
    return new KvSnippets(guest);
  }

  /** Forgets what earlier snippets stored. */
  reset(): void {
    this.guest.keygroup.values.clear();
    this.guest.keygroup.seen.length = 0;
    this.guest.keygroup.intercept = undefined;
  }

  /** Runs the body of an async function in a call of its own. */
  async run(code: string): Promise<unknown> {
    const { text, failed } = await this.guest.call(code);
    if (failed) throw new Error(`${failed.errorType}: ${failed.message}`);
    return JSON.parse(text!);
  }
}
