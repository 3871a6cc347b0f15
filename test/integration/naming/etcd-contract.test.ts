import { afterAll, beforeAll, describe } from "vitest";

import { EtcdNaming } from "../../../src/naming/etcd/etcd-naming.js";
import { runNamingContract } from "../../../src/testing/index.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { TcpProxy } from "../../helpers/tcp-proxy.js";

describe.skipIf(ETCD_MISSING)(`naming on a real etcd${ETCD_MISSING}`, () => {
  let etcd: TestEtcd;
  let roots = 0;

  beforeAll(async () => {
    etcd = await TestEtcd.start();
  });
  afterAll(() => etcd.remove());

  runNamingContract("etcd", () => {
    const proxies: TcpProxy[] = [];
    const root = `test${roots++}`;
    return Promise.resolve({
      connect: async () => {
        const proxy = await new TcpProxy(() => etcd.port).listen();
        proxies.push(proxy);
        const naming = new EtcdNaming({
          endpoints: [{ host: "127.0.0.1", port: proxy.port }],
          root,
          leaseMs: 2000,
        });
        return { naming, cut: () => proxy.cut(), heal: () => proxy.heal() };
      },
      forgetHistory: () => Promise.resolve(etcd.compact()),
      cleanup: async () => {
        await Promise.all(proxies.map((proxy) => proxy.close()));
      },
    });
  });
});
