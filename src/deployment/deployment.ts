import { randomUUID } from "node:crypto";

import type { Directory } from "../cluster/directory.js";
import type { NodeName } from "../core/ids.js";
import type { ArtefactStore } from "../functions/artefacts.js";
import type { BuildTarget } from "../functions/build-target.js";
import type { Deployer } from "../functions/deployer.js";
import type { PeerRequests } from "../peers/requests.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Timers } from "../ports/timers.js";
import { ArtefactFetcher } from "./artefact-fetcher.js";
import { serveArtefacts } from "./artefact-server.js";
import { ClusterFunctions } from "./cluster-functions.js";
import { Follower } from "./follower.js";
import type { FunctionData } from "./function-data.js";
import type { LocalFunctions } from "./local-functions.js";
import { RevisionMaker } from "./revision-maker.js";

/** What running functions on several nodes takes. */
export interface DeploymentOptions {
  readonly node: NodeName;
  /** Of this node, by which functions may choose it. */
  readonly labels: Readonly<Record<string, string>>;
  /** What this machine runs. */
  readonly target: BuildTarget;
  readonly directory: Directory;
  readonly requests: Pick<PeerRequests, "serve" | "stream">;
  readonly functions: LocalFunctions;
  readonly deployer: Pick<Deployer, "makeRevision">;
  readonly store: ArtefactStore;
  readonly data: FunctionData;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** The longest wait for a piece of an artefact. */
  readonly pieceTimeoutMs?: number;
}

const PIECE_TIMEOUT_MS = 15_000;

/** Functions on several nodes: gives code to others, follows the directory, and changes it. */
export class Deployment {
  readonly functions: ClusterFunctions;
  readonly #follower: Follower;

  /** Serves artefacts from now on; {@link Deployment.start} begins to follow. */
  constructor(options: DeploymentOptions) {
    const { node, labels, target, directory, requests, functions } = options;
    const { deployer, store, clock, timers, logger, data } = options;
    const { view } = directory;
    const { pieceTimeoutMs = PIECE_TIMEOUT_MS } = options;
    serveArtefacts({ requests, view, store });
    const fetcher = new ArtefactFetcher({ requests, store, timers, logger, pieceTimeoutMs });
    const maker = new RevisionMaker({ node, target, view, store, fetcher, deployer, functions });
    this.#follower = new Follower({ node, labels, directory, functions, maker, timers, logger });
    this.functions = new ClusterFunctions({
      node,
      directory,
      functions,
      follower: this.#follower,
      maker,
      deployer,
      store,
      newDeployId: randomUUID,
      nowMs: () => clock.nowMs(),
      data,
    });
  }

  /** Makes this node's functions what the directory says, from now on. */
  start(): void {
    this.#follower.start();
  }

  /** Follows no longer. What serves goes on. */
  async close(): Promise<void> {
    await this.#follower.close();
  }
}
