import { EnokiError } from "../core/errors.js";
import type { FunctionName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import type { KeyRing } from "./key-ring.js";
import { keyIdOf, openSecret, sealSecret } from "./sealing.js";

/** Secrets of one function by the variables that they become, each sealed. */
export type SealedSecrets = Readonly<Record<string, string>>;

/** How a value stands to the secret that is there. */
export type SecretComparison = "same" | "different" | "missing" | "unreadable";

/** Seals the secrets of functions, and opens them where an instance is made. */
export class Secrets {
  readonly #keys: KeyRing;

  constructor(keys: KeyRing) {
    this.#keys = keys;
  }

  /**
   * Seals values for one function. What is there already under the key that seals, and has the same
   * value, comes back as it is, so that to set a secret twice changes nothing.
   * @throws EnokiError `ENOKI_INVALID_INPUT` naming the secret, `ENOKI_CLUSTER_KEY_REQUIRED`
   */
  async seal(
    owner: FunctionName,
    values: Readonly<Record<string, string>>,
    present: SealedSecrets = {},
  ): Promise<SealedSecrets> {
    for (const [name, value] of Object.entries(values)) requireUsable(name, value);
    const key = await this.#keys.sealing();
    const sealed = Object.entries(values).map(([name, value]) => {
      const before = present[name];
      const isKept =
        before !== undefined &&
        keyIdOf(before) === key.id &&
        this.compare(owner, name, before, value) === "same";
      return [name, isKept ? before : sealSecret(key, { function: owner, name }, value)];
    });
    return Object.fromEntries(sealed) as SealedSecrets;
  }

  /** Opens all secrets of a function. @throws EnokiError `ENOKI_SECRET_UNREADABLE` */
  open(owner: FunctionName, sealed: SealedSecrets): Record<string, string> {
    return Object.fromEntries(
      Object.entries(sealed).map(([name, text]) => [name, this.#open(owner, name, text)]),
    );
  }

  /** Seals all secrets of a function with the key that seals now. @throws EnokiError `ENOKI_SECRET_UNREADABLE` */
  async reseal(owner: FunctionName, sealed: SealedSecrets): Promise<SealedSecrets> {
    return this.seal(owner, this.open(owner, sealed), sealed);
  }

  /** Says whether a value is the one that is sealed; `sealed: undefined` = there is none. */
  compare(
    owner: FunctionName,
    name: string,
    sealed: string | undefined,
    value: string,
  ): SecretComparison {
    if (sealed === undefined) return "missing";
    try {
      return this.#open(owner, name, sealed) === value ? "same" : "different";
    } catch {
      return "unreadable";
    }
  }

  #open(owner: FunctionName, name: string, sealed: string): string {
    return openSecret((id) => this.#keys.find(id), { function: owner, name }, sealed);
  }
}

/** @throws EnokiError `ENOKI_INVALID_INPUT` if those are more than a function may have */
export function requireFewSecrets(sealed: SealedSecrets): void {
  const names = Object.keys(sealed);
  const { secretsMax, secretsBytesMax } = LIMITS;
  if (names.length > secretsMax) {
    throw invalid("secrets", `${names.length} of one function; ${secretsMax} are allowed`);
  }
  const sizeBytes = Object.values(sealed).reduce((sum, text) => sum + text.length, 0);
  if (sizeBytes > secretsBytesMax) {
    throw invalid("secrets", `${sizeBytes} bytes when sealed; ${secretsBytesMax} are allowed`);
  }
}

/** What a variable may be called and hold. The message never has the value in it. */
function requireUsable(name: string, value: string): void {
  const field = `secrets.${name}`;
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
    const shown = JSON.stringify(name.slice(0, 40));
    throw invalid("secrets", `${shown} is no name: use letters, digits and underscores`);
  }
  if (value === "") throw invalid(field, "is empty");
  if (value.includes("\0")) throw invalid(field, "has a zero byte in it, which no variable can");
  const sizeBytes = Buffer.byteLength(value);
  if (sizeBytes > LIMITS.secretBytesMax) {
    throw invalid(field, `has ${sizeBytes} bytes; ${LIMITS.secretBytesMax} are allowed`);
  }
}

function invalid(field: string, detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_INPUT", `${field}: ${detail}`, { field });
}
