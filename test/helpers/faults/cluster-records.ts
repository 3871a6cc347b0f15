import { decodeRecord, type RecordsByKind } from "../../../src/cluster/record-codec.js";
import { EtcdNaming } from "../../../src/naming/etcd/etcd-naming.js";
import type { TestEtcd } from "../etcd.js";

/** What etcd holds of one thing, as nodes read it. */
export async function readRecord<K extends keyof RecordsByKind>(
  etcd: TestEtcd,
  kind: K,
  key: string,
): Promise<RecordsByKind[K]> {
  const endpoints = [{ host: "127.0.0.1", port: etcd.port }];
  const naming = new EtcdNaming({ endpoints, root: "enoki" });
  try {
    const entry = (await naming.read(key)).find((found) => found.key === key);
    const any = entry && decodeRecord(key, entry.value);
    if (any?.kind !== kind) throw new Error(`etcd has no ${key}`);
    return any.record as RecordsByKind[K];
  } finally {
    await naming.close();
  }
}
