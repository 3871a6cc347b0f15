import { randomBytes } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";

import { EnokiError } from "../core/errors.js";
import { ClientSession } from "../client/session.js";

/** A file that keeps the session of several commands: one line, the token. */
export class SessionFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** The token; `""` where there is no file yet. @throws EnokiError `ENOKI_INVALID_INPUT` */
  async read(): Promise<string> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
      throw this.#unusable(error);
    }
    try {
      return new ClientSession(text.trim()).token;
    } catch {
      throw new EnokiError("ENOKI_INVALID_INPUT", `--session: ${this.#path} holds no session`);
    }
  }

  /**
   * Adds what was seen, and keeps what another command has added meanwhile.
   * @throws EnokiError `ENOKI_INVALID_INPUT` if it cannot be written
   */
  async write(token: string): Promise<void> {
    if (token === "") return;
    const session = new ClientSession(await this.read());
    session.note(token);
    const path = `${this.#path}.${randomBytes(6).toString("hex")}`;
    try {
      // What was seen tells who has written how much: it is for its owner alone.
      await writeFile(path, `${session.token}\n`, { mode: 0o600 });
      await rename(path, this.#path);
    } catch (error) {
      await rm(path, { force: true });
      throw this.#unusable(error);
    }
  }

  #unusable(error: unknown): EnokiError {
    const { code, message } = error as NodeJS.ErrnoException;
    const detail = `--session: ${this.#path} cannot be used (${code ?? message})`;
    return new EnokiError("ENOKI_INVALID_INPUT", detail);
  }
}
