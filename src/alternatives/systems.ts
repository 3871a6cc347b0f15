/** A part of a system that has a version. */
export interface Component {
  readonly name: string;
  readonly from: "npm" | "Debian" | "this project";
}

/** What a user could take, with what was found on whether its figures may be published. */
export interface System {
  readonly title: string;
  readonly kind: "ours" | "platform" | "reference" | "ceiling" | "replication";
  readonly components: readonly Component[];
  readonly licence: string;
}

/** The name of a system, as `--only` takes it. */
export type SystemName = keyof typeof SYSTEMS;

/** All systems. Their licences were read in the packages themselves; none restricts publishing results. */
export const SYSTEMS = {
  enoki: {
    title: "Enoki",
    kind: "ours",
    components: [{ name: "enoki", from: "this project" }],
    licence: "MIT",
  },
  deno: {
    title: "Deno + Deno KV",
    kind: "platform",
    components: [{ name: "deno", from: "npm" }],
    licence: "MIT",
  },
  workerd: {
    title: "workerd + Durable Object",
    kind: "platform",
    components: [{ name: "workerd", from: "npm" }],
    licence: "Apache-2.0",
  },
  restate: {
    title: "Restate virtual object",
    kind: "platform",
    components: [
      { name: "@restatedev/restate-server", from: "npm" },
      { name: "@restatedev/restate-sdk", from: "npm" },
    ],
    licence:
      "server: Business Source License 1.1, whose grant allows every use but a public Restate platform service; SDK: MIT",
  },
  "fastify-redis": {
    title: "Fastify + Redis",
    kind: "reference",
    components: [
      { name: "fastify", from: "npm" },
      { name: "redis", from: "npm" },
      { name: "redis-server", from: "Debian" },
    ],
    licence: "Fastify, client: MIT; Redis 7.0: BSD-3-Clause",
  },
  ceiling: {
    title: "node:http + LMDB",
    kind: "ceiling",
    components: [{ name: "lmdb", from: "this project" }],
    licence: "MIT",
  },
  nats: {
    title: "NATS, hub and leaf with a KV mirror",
    kind: "replication",
    components: [
      { name: "@nats-io/kv", from: "npm" },
      { name: "@nats-io/transport-node", from: "npm" },
      { name: "nats-server", from: "Debian" },
    ],
    licence: "Apache-2.0",
  },
  redis: {
    title: "Redis, primary and replica",
    kind: "replication",
    components: [
      { name: "redis", from: "npm" },
      { name: "redis-server", from: "Debian" },
    ],
    licence: "client: MIT; Redis 7.0: BSD-3-Clause",
  },
} as const satisfies Readonly<Record<string, System>>;
