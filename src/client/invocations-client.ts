import { query, segment } from "./options.js";
import type { Transport } from "./transport.js";
import type { InvocationInfo } from "./types.js";

const PATH = "/v1/invocations";

/** Looks after the asynchronous invocations of a node. */
export class InvocationsClient {
  readonly #admin: Transport;

  constructor(admin: Transport) {
    this.#admin = admin;
  }

  /** The newest invocations, or those of one function or state. */
  async list(
    filter: {
      readonly function?: string;
      readonly state?: InvocationInfo["state"];
      readonly limit?: number;
    } = {},
  ): Promise<readonly InvocationInfo[]> {
    const path = PATH + query({ ...filter });
    return (await this.#admin.json<{ invocations: InvocationInfo[] }>(path)).invocations;
  }

  /** One invocation. @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
  async get(id: string): Promise<InvocationInfo> {
    return await this.#admin.json(`${PATH}/${segment(id)}`);
  }

  /** Queues a dead letter again. @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
  async replay(id: string): Promise<InvocationInfo> {
    return await this.#admin.json(`${PATH}/${segment(id)}/replay`, { method: "POST" });
  }

  /** Forgets a dead letter. @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
  async remove(id: string): Promise<void> {
    await this.#admin.request(`${PATH}/${segment(id)}`, { method: "DELETE" });
  }
}
