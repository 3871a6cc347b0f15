import { parseFunctionName } from "../core/ids.js";
import type { Transport } from "./transport.js";
import type { FunctionInfo, SecretChanges, SecretComparison, SecretInfo } from "./types.js";

/** Manages the secrets of functions. What changes them makes a new revision of the function. */
export class SecretsClient {
  readonly #admin: Transport;

  constructor(admin: Transport) {
    this.#admin = admin;
  }

  /** The names of a function's secrets. @throws EnokiError `ENOKI_FUNCTION_NOT_FOUND` */
  async list(name: string): Promise<readonly SecretInfo[]> {
    return (await this.#admin.json<{ secrets: SecretInfo[] }>(pathOf(name))).secrets;
  }

  /**
   * Sets secrets, and takes those away that are `null`. Resolves once the new revision serves.
   * @throws EnokiError `ENOKI_SECRET_NOT_FOUND`, `ENOKI_CLUSTER_KEY_REQUIRED`
   */
  async change(name: string, changes: SecretChanges): Promise<FunctionInfo> {
    return await this.#admin.json(pathOf(name), { method: "PATCH", json: changes, timeoutMs: 0 });
  }

  /** Says of values whether they are those that are there. */
  async compare(
    name: string,
    values: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, SecretComparison>>> {
    const path = `${pathOf(name)}/compare`;
    const asked = { method: "POST", json: values };
    return (await this.#admin.json<{ secrets: Record<string, SecretComparison> }>(path, asked))
      .secrets;
  }

  /** Seals all secrets of a function with the key that the node seals with now. */
  async reseal(name: string): Promise<FunctionInfo> {
    return await this.#admin.json(`${pathOf(name)}/reseal`, { method: "POST", timeoutMs: 0 });
  }
}

function pathOf(name: string): string {
  return `/v1/functions/${parseFunctionName(name)}/secrets`;
}
