import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Why tests that make certificates cannot run here; empty if they can. */
export const OPENSSL_MISSING =
  spawnSync("openssl", ["version"]).status === 0 ? "" : " [skipped: needs openssl; npm run setup]";

const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/** An authority of its own in `dir`, and what it has signed: files by their paths. */
export class TestAuthority {
  readonly #dir: string;
  readonly caFile: string;

  constructor(dir: string, name: string) {
    this.#dir = dir;
    this.caFile = join(dir, `${name}.pem`);
    this.#openssl(
      `req -x509 ${NEW_KEY} -days 2 -subj /CN=${name} -out ${this.caFile} -keyout ${this.caFile}.key`,
    );
  }

  /** Signs a certificate for loopback, good for servers and clients. */
  issue(name: string): { readonly certFile: string; readonly keyFile: string } {
    const [certFile, keyFile] = [join(this.#dir, `${name}.pem`), join(this.#dir, `${name}.key`)];
    const extensions = join(this.#dir, `${name}.ext`);
    writeFileSync(
      extensions,
      "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n",
    );
    this.#openssl(`req ${NEW_KEY} -subj /CN=${name} -keyout ${keyFile} -out ${certFile}.csr`);
    this.#openssl(
      `x509 -req -in ${certFile}.csr -CA ${this.caFile} -CAkey ${this.caFile}.key -days 2 -CAcreateserial -extfile ${extensions} -out ${certFile}`,
    );
    return { certFile, keyFile };
  }

  async ca(): Promise<string> {
    return readFile(this.caFile, "utf8");
  }

  #openssl(line: string): void {
    execFileSync("openssl", line.split(" "), { stdio: "pipe", cwd: this.#dir });
  }
}
