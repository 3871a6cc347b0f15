import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { deploy, remove, type Deployment } from "../../bench/deployment.js";
import { freePort, startEtcd } from "../../bench/etcd.js";
import type { Resources } from "../../bench/resources.js";
import { connect, type Client } from "../../client/index.js";
import { Emulator } from "./emulator.js";
import { CLIENT, CLOUD, edgeName, type TestbedLinks } from "./places.js";
import { clockProcessors, type ProcessorTotals } from "./processor-clock.js";

/** What a {@link Testbed} is made of. */
export interface TestbedOptions {
  /** Ends it. */
  readonly resources: Resources;
  /** How many edge nodes there are, `edge1` and so on; `cloud` is always there. */
  readonly edges: number;
  /** Links that are not as in the paper. */
  readonly links?: Partial<TestbedLinks>;
  /** Further flags of `enoki up`, for all nodes. */
  readonly flags?: readonly string[];
}

/** A node of a testbed. */
export interface TestbedNode {
  readonly name: string;
  readonly pid: number;
  /** Of the admin port, without a link before it. */
  readonly client: Client;
  /** Makes one more such client, which has seen nothing: not even data that a point before it has dropped. */
  readonly newClient: () => Client;
  /** Of function calls, without a link before it. */
  readonly functionPort: number;
}

/** A port of a service at a place. */
export interface Reached {
  /** Without a link before it: for clients whose link has no limits. */
  readonly directPort: number;
  /** As clients reach it, over the emulated network. */
  readonly clientPort: number;
}

/** A bare server at a place, which says what the emulated network and HTTP take. */
export interface Floor extends Reached {
  /** What to ask for, with GET or POST. */
  readonly path: string;
}

/** What a {@link Floor} answers, and what it does before. */
export interface FloorRequest {
  /** The place of the server. */
  readonly at: string;
  readonly answerBytes: number;
  /** Trips to another place, one after the other; none without it. */
  readonly trips?: { readonly to: string; readonly count: number; readonly bytes: number };
}

/** More would only wait for each other's processors until their time to get ready is over. */
const STARTED_AT_ONCE = 4;
const JOIN_TIMEOUT_MS = 30_000;
const POLL_MS = 20;

const CLI = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const ECHO_SERVER = fileURLToPath(new URL("echo-server.js", import.meta.url));

/**
 * A naming service and nodes, each a process of its own, one in the cloud and others at edges. All that
 * goes between two places goes over the emulated network: links between nodes, naming, clients.
 */
export class Testbed {
  readonly network: Emulator;
  readonly #resources: Resources;
  readonly #nodes = new Map<string, TestbedNode>();
  readonly #clientPorts = new Map<string, Promise<number>>();
  readonly #echoes = new Map<string, Promise<number>>();

  private constructor(resources: Resources, network: Emulator) {
    this.#resources = resources;
    this.network = network;
  }

  /** Starts all of it; it lives until the resources are released. */
  static async open(options: TestbedOptions): Promise<Testbed> {
    const { resources, edges, links, flags = [] } = options;
    const network = await Emulator.start(resources, links);
    const testbed = new Testbed(resources, network);
    const etcdPort = Number(new URL(await startEtcd(resources)).port);
    const namingPort = await network.openTo(CLOUD, etcdPort);
    const names = [CLOUD, ...Array.from({ length: edges }, (_, at) => edgeName(at + 1))];
    const common = ["--naming", `etcd://127.0.0.1:${namingPort}`, ...flags];
    for (let at = 0; at < names.length; at += STARTED_AT_ONCE) {
      const some = names.slice(at, at + STARTED_AT_ONCE);
      await Promise.all(some.map((name) => testbed.#startNode(name, common)));
    }
    await testbed.together();
    return testbed;
  }

  /** Resolves once all nodes know each other, as before a cut. @throws Error if that takes too long */
  async together(): Promise<void> {
    const names = [...this.#nodes.keys()];
    await Promise.all(names.map((name) => this.#knowsAll(name, names.length)));
  }

  /** @throws Error if there is none */
  node(name: string): TestbedNode {
    const node = this.#nodes.get(name);
    if (!node) throw new Error(`the testbed has no node ${name}`);
    return node;
  }

  /** The ports that functions of a node are called at. */
  async functionPorts(name: string): Promise<Reached> {
    return await this.#reach(name, this.node(name).functionPort);
  }

  /**
   * Deploys a function and waits until it serves, and its data are where they should be. `store`: stores data
   * meanwhile, as soon as there is a keygroup for them.
   */
  async deploy(deployment: Deployment, store?: () => Promise<void>): Promise<void> {
    // By the cloud where that may be: naming is next to it, while at an edge each step takes a trip. Data that
    // are replicated would also lie on the node that creates their keygroup.
    const by = deployment.data.startsWith("at:") ? CLOUD : deployment.nodes[0];
    await deploy(this.node(by).client, deployment, store);
  }

  /** Removes a function with its data, and waits until no node has either. @throws Error if one keeps them */
  async remove({ name }: Deployment): Promise<void> {
    await remove(this.node(CLOUD).client, name);
    await Promise.all([...this.#nodes.values()].map((node) => this.#hasDropped(node, name)));
  }

  /** Starts to count who uses the processors; what it returns ends that. */
  clockProcessors(): () => ProcessorTotals {
    const nodes = [...this.#nodes.values()].map(({ pid }) => pid);
    return clockProcessors({ nodes, network: this.network.pid });
  }

  /** A bare server at a place. */
  async floor({ at, answerBytes, trips }: FloorRequest): Promise<Floor> {
    const reached = await this.#reach(`echo at ${at}`, await this.#echo(at), at);
    if (!trips) return { ...reached, path: `/${answerBytes}` };
    const { to, count, bytes } = trips;
    const far = await this.#echo(to);
    const port = await this.network.openBetween(at, to, far);
    return { ...reached, path: `/${answerBytes}?port=${port}&trips=${count}&bytes=${bytes}` };
  }

  async #startNode(name: string, common: readonly string[]): Promise<void> {
    const linkPort = await freePort();
    const advertised = await this.network.openTo(name, linkPort);
    const flags = [
      ["--json", "--name", name, "--function-port", "0", "--admin-port", "0"],
      ["--link-port", String(linkPort), "--advertise", `127.0.0.1:${advertised}`],
      ["--data-dir", await this.#resources.makeFolder(), ...common],
    ].flat();
    const { pid, readyLine } = await this.#resources.startServer(
      process.execPath,
      [CLI, "up", ...flags],
      // why so early: it dials before it is ready, and the network has to know from where.
      (spawned) => this.network.settle(spawned, name),
    );
    const ready = JSON.parse(readyLine) as { functions: string; admin: string };
    const newClient = (): Client => connect({ url: ready.admin, functionsUrl: ready.functions });
    const functionPort = Number(new URL(ready.functions).port);
    this.#nodes.set(name, { name, pid, client: newClient(), newClient, functionPort });
  }

  /** Resolves once the node has heard of all others: before that it refuses to place data there. */
  async #knowsAll(name: string, nodesTotal: number): Promise<void> {
    const { client } = this.node(name);
    const endMs = performance.now() + JOIN_TIMEOUT_MS;
    for (;;) {
      const up = (await client.nodes()).filter(({ state }) => state === "up");
      if (up.length === nodesTotal) return;
      if (performance.now() > endMs) throw new Error(`${name} knows ${up.length} nodes only`);
      await delay(POLL_MS);
    }
  }

  async #hasDropped({ name, client }: TestbedNode, dropped: string): Promise<void> {
    const endMs = performance.now() + JOIN_TIMEOUT_MS;
    for (;;) {
      const [functions, keygroups] = await Promise.all([
        client.functions.list(),
        client.keygroups.list(),
      ]);
      if ([...functions, ...keygroups].every((one) => one.name !== dropped)) return;
      if (performance.now() > endMs) throw new Error(`${name} still has ${dropped}`);
      await delay(POLL_MS);
    }
  }

  async #reach(service: string, directPort: number, place = service): Promise<Reached> {
    let clientPort = this.#clientPorts.get(service);
    if (!clientPort) {
      clientPort = this.network.openBetween(CLIENT, place, directPort);
      this.#clientPorts.set(service, clientPort);
    }
    return { directPort, clientPort: await clientPort };
  }

  #echo(at: string): Promise<number> {
    let port = this.#echoes.get(at);
    if (!port) {
      const settled = (pid: number): void => this.network.settle(pid, at);
      const started = this.#resources.startServer(process.execPath, [ECHO_SERVER], settled);
      port = started.then(({ readyLine }) => Number(readyLine));
      this.#echoes.set(at, port);
    }
    return port;
  }
}
