import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";

import type { Directory } from "../../../src/cluster/directory.js";
import type { EnokiError } from "../../../src/core/errors.js";
import { parseFunctionName, parseKeygroupName, parseNodeName } from "../../../src/core/ids.js";
import { EtcdNaming } from "../../../src/naming/etcd/etcd-naming.js";
import type { Storage } from "../../../src/ports/storage.js";
import { until } from "../../../src/testing/naming-recorder.js";
import { DEFAULTS, openNodeStore, startDirectory } from "../../helpers/directories.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";

const [edge1, edge2] = [parseNodeName("edge1"), parseNodeName("edge2")] as const;

describe.skipIf(ETCD_MISSING)(`the directory on a real etcd${ETCD_MISSING}`, () => {
  let etcd: TestEtcd;
  let root = 0;

  beforeAll(async () => {
    etcd = await TestEtcd.start();
  });
  afterEach(() => void root++);
  afterAll(() => etcd.remove());

  function connect(): EtcdNaming {
    const endpoints = [{ host: "127.0.0.1", port: etcd.port }];
    const naming = new EtcdNaming({ endpoints, root: `test${root}`, leaseMs: 2000 });
    onTestFinished(() => naming.close());
    return naming;
  }

  async function open(name: string, storage?: Storage): Promise<Directory> {
    const directory = await startDirectory(name, connect(), storage ? { storage } : {});
    onTestFinished(() => directory.close());
    await directory.ready();
    return directory;
  }

  test("fifty functions deployed by two nodes at the same instant: one keygroup each, two members", async () => {
    const directories = [await open("edge1"), await open("edge2")];
    for (let round = 0; round < 50; round++) {
      const [keygroup, name] = [parseKeygroupName(`k${round}`), parseFunctionName(`k${round}`)];
      const records = await Promise.all(
        directories.map(async ({ control }, index) => {
          const deploy = {
            deploy: `${round}-${index}`,
            source: "x",
            runtime: "python",
            config: {},
          };
          const targets = { nodes: [index === 0 ? edge1 : edge2] };
          await control.deployFunction(name, { ...deploy, deployedAtMs: 1 }, targets);
          return control.joinKeygroup(keygroup, DEFAULTS);
        }),
      );
      expect(records.map(({ generation }) => generation)).toEqual([1, 1]);
      for (const { view } of directories) {
        await until(() => view.keygroup(keygroup)?.epoch === 2);
        await until(() => view.function(name)?.targets.nodes.length === 2);
        expect(view.keygroup(keygroup)?.members.map(({ epoch }) => epoch)).toEqual([1, 2]);
        expect(
          view
            .keygroup(keygroup)
            ?.members.map(({ node }) => node)
            .toSorted(),
        ).toEqual([edge1, edge2]);
        expect(view.function(name)).toMatchObject({ current: 1, last: 1 });
      }
    }
  });

  test("etcd stopped: changes fail at once, a restarted node has its view, and all resumes", async () => {
    const keygroup = parseKeygroupName("weather");
    const storage = await openNodeStore();
    const before = await open("edge1", storage);
    const other = await open("edge2");
    await before.control.joinKeygroup(keygroup, DEFAULTS);
    await other.control.joinKeygroup(keygroup, DEFAULTS);
    await until(() => before.view.keygroup(keygroup)?.epoch === 2);
    await until(() => before.view.isPresent(edge2));
    await etcd.kill();
    await until(() => !before.isReachable && !other.isReachable);
    await before.close();

    const after = await open("edge1", storage);
    expect(after.isReachable).toBe(false);
    expect(after.view.keygroup(keygroup)).toEqual(before.view.keygroup(keygroup));
    expect(after.view.node(edge2)?.record.addresses).toEqual(["127.0.0.1:7000"]);
    const begunMs = performance.now();
    for (const { control } of [after, other]) {
      const error: unknown = await control
        .dropKeygroup(keygroup)
        .catch((reason: unknown) => reason);
      expect((error as EnokiError).code).toBe("ENOKI_NAMING_UNAVAILABLE");
    }
    expect(performance.now() - begunMs).toBeLessThan(1500);

    await etcd.restart();
    await until(() => after.isReachable && other.isReachable);
    await until(() => after.view.isPresent(edge1) && after.view.isPresent(edge2));
    expect(await after.control.removeMember(keygroup, edge2)).toMatchObject({
      epoch: 3,
      past: [2],
    });
    await until(() => other.view.keygroup(keygroup)?.epoch === 3);
  });

  test("killed and restarted again and again under changes, no change is lost or made twice", async () => {
    const keygroup = parseKeygroupName("weather");
    const directories = [await open("edge1"), await open("edge2")];
    const insist = async (work: () => Promise<unknown>): Promise<void> => {
      const done = await work().then(
        () => true,
        (error: unknown) => {
          expect((error as EnokiError).code).toBe("ENOKI_NAMING_UNAVAILABLE");
          return false;
        },
      );
      if (!done) await insist(work);
    };
    const working = directories.map(async ({ control }, index) => {
      await insist(() => control.joinKeygroup(keygroup, DEFAULTS));
      for (let round = 0; round < 40; round++) {
        const name = parseFunctionName(`f${round}`);
        const deploy = { deploy: `${round}-${index}`, source: `${index}`, runtime: "python" };
        await insist(() =>
          control.deployFunction(name, { ...deploy, config: {}, deployedAtMs: 1 }, { isAll: true }),
        );
      }
    });
    for (let kills = 0; kills < 5; kills++) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      await etcd.kill();
      await etcd.restart();
    }
    await Promise.all(working);
    for (const { view } of directories) {
      await until(() => view.functions().length === 40);
      await until(() => view.functions().every(({ last }) => last === 2));
      expect(view.functions().map(({ revisions }) => revisions.length)).toEqual(Array(40).fill(2));
      await until(() => view.keygroup(keygroup)?.epoch === 2);
    }
  });
});
