import { basename, extname, resolve } from "node:path";
import { performance } from "node:perf_hooks";

import { formatSizeBytes } from "../base/size.js";
import { EnokiError } from "../core/errors.js";
import { parseFunctionName } from "../core/ids.js";
import { packFolder } from "../archive/pack.js";
import type { Client } from "../client/client.js";
import type { FunctionConfig, FunctionInfo, SecretChanges } from "../client/types.js";
import { write, type Io } from "./io.js";

/** Length of a function's name, at most. */
const NAME_LENGTH_MAX = 63;

/** What `deploy` and `dev` deploy, and how. */
export interface Deployment {
  readonly path: string;
  readonly name: string;
  readonly config: FunctionConfig;
  /** Bounds the wait, such as `30s`; without it there is no bound. */
  readonly wait?: string | undefined;
  /** The nodes that are to run it as well. */
  readonly to?: string | undefined;
  /** Where its data are to lie. */
  readonly data?: string | undefined;
  /** Secrets that are set; the others stay. */
  readonly secrets?: SecretChanges | undefined;
}

/** Packs and deploys, saying on stderr what happens. */
export async function deploy(
  client: Client,
  io: Io,
  deployment: Deployment,
): Promise<FunctionInfo> {
  const { path, ...rest } = deployment;
  return await sendArchive(client, io, { ...rest, archive: await packFolder(path) });
}

/** Deploys what is packed already, saying on stderr what happens. */
export async function sendArchive(
  client: Client,
  io: Io,
  deployment: Omit<Deployment, "path"> & { readonly archive: Buffer },
): Promise<FunctionInfo> {
  const { archive, name, config, wait, to, data, secrets } = deployment;
  const startMs = performance.now();
  const files = countFiles(archive);
  const size = formatSizeBytes(archive.length);
  await write(io.stderr, `packed ${files} ${files === 1 ? "file" : "files"}, ${size}\n`);
  await write(io.stderr, `building ${name} …\n`);
  const info = await client.functions.deploy(name, archive, config, {
    ...(wait === undefined ? {} : { wait }),
    ...(to === undefined ? {} : { to }),
    ...(data === undefined ? {} : { data }),
    ...(secrets === undefined ? {} : { secrets }),
  });
  const tookMs = Math.round(performance.now() - startMs);
  const what = `revision ${info.revision}, ${info.runtime}, ${info.entry}`;
  await write(io.stderr, `ready in ${tookMs} ms: ${what}\n`);
  return info;
}

/** The name of a function from where its code is. @throws EnokiError `ENOKI_INVALID_NAME` */
export function nameFromPath(path: string): string {
  const base = basename(resolve(path));
  const stem = base.slice(0, base.length - extname(base).length) || base;
  const name = stem
    .replace(/[^A-Za-z0-9]+/g, "-")
    .slice(0, NAME_LENGTH_MAX)
    .replace(/^-+|-+$/g, "");
  if (name !== "") return parseFunctionName(name);
  throw new EnokiError("ENOKI_INVALID_NAME", `${JSON.stringify(base)} gives no name: say --name`);
}

/** The number of members that the last record of a zip names. */
function countFiles(archive: Buffer): number {
  const endAt = archive.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  return endAt === -1 || endAt + 12 > archive.length ? 0 : archive.readUInt16LE(endAt + 10);
}
