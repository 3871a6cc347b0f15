import { fileURLToPath } from "node:url";

import type { Answer, ReplicaWork } from "./replica-work.js";
import type { Resources } from "./resources.js";

/** A node of `replica-node.ts`. */
export interface ReplicaProcess {
  readonly pid: number;
  /** Asks it for a task; questions may overlap. */
  ask<Task extends keyof ReplicaWork>(
    task: Task,
    ...options: Parameters<ReplicaWork[Task]>
  ): ReturnType<ReplicaWork[Task]>;
  stop(): Promise<void>;
}

/** How to start one. */
export interface ReplicaStart {
  readonly name: string;
  /** `etcd://HOST:PORT` */
  readonly naming: string;
  readonly storage: "lmdb" | "memory";
  /** Flags of Node itself. */
  readonly execArgs?: readonly string[];
}

/** Starts a node that can be asked for the tasks of `replica-work.ts`. */
export async function startReplica(
  resources: Resources,
  { name, naming, storage, execArgs = [] }: ReplicaStart,
): Promise<ReplicaProcess> {
  const program = fileURLToPath(new URL("replica-node.js", import.meta.url));
  const dataDir = await resources.makeFolder();
  const args = [...execArgs, program, name, naming, dataDir, storage];
  const server = await resources.startServer(process.execPath, args);
  const waiting = new Map<number, (answer: Answer) => void>();
  let lastId = 0;
  const answered = (answer: Answer): void => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  };
  server.listen(
    (line) => answered(JSON.parse(line) as Answer),
    () => {
      for (const id of waiting.keys()) answered({ id, error: "its process ended" });
    },
  );
  const ask = (task: string, options: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result);
        else reject(new Error(`${name}, ${task}: ${error}`));
      });
      server.tell(JSON.stringify({ id, task, options }));
    });
  return { pid: server.pid, ask: ask as ReplicaProcess["ask"], stop: () => server.stop() };
}
