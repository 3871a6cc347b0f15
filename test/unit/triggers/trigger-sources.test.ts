import { expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import type { FunctionName } from "../../../src/core/ids.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { TriggerBook, type FunctionTrigger } from "../../../src/triggers/trigger-book.js";
import {
  TriggerSources,
  type FiredEvent,
  type SourceStart,
} from "../../../src/triggers/trigger-sources.js";

const NAME = "report" as FunctionName;

function open(isHere: (trigger: FunctionTrigger) => boolean = () => true) {
  const book = new TriggerBook();
  const running: SourceStart[] = [];
  const gone: string[] = [];
  const fired: [string, FiredEvent][] = [];
  const sources = new TriggerSources({
    starters: {
      cron: (start) => {
        if (start.trigger.on.includes("13")) throw new EnokiError("ENOKI_INVALID_TRIGGER", "13");
        running.push(start);
        return {
          close: async (isGone) => {
            running.splice(running.indexOf(start), 1);
            if (isGone) gone.push(start.trigger.on);
          },
        };
      },
    },
    triggers: () => book.all(),
    isHere,
    fire: async ({ function: name }, event) => void fired.push([name, event]),
    logger: silentLogger,
  });
  const deploy = (deployedAtMs: number, ...schedules: string[]): void => {
    const triggers = schedules.map((schedule) => ({ on: `cron:${schedule}`, at: "one" as const }));
    book.set(NAME, [{ triggers, deployedAtMs }]);
    sources.look();
  };
  return {
    book,
    running,
    gone,
    fired,
    sources,
    deploy,
    ons: () => running.map((one) => one.trigger.on),
  };
}

test("a source runs for each trigger that is to run here, until it is not", async () => {
  let isChosen = false;
  const { deploy, ons, sources, running } = open(() => isChosen);
  deploy(1, "1 * * * *", "2 * * * *");
  expect(ons()).toEqual([]);
  isChosen = true;
  sources.look();
  const before = [...running];
  deploy(1, "1 * * * *", "2 * * * *");
  expect(running).toEqual(before);
  expect(ons()).toEqual(["cron:1 * * * *", "cron:2 * * * *"]);
  deploy(2, "2 * * * *");
  expect(ons()).toEqual(["cron:2 * * * *"]);
  isChosen = false;
  sources.look();
  expect(ons()).toEqual([]);
});

test("what a source fires goes to its function", async () => {
  const { deploy, running, fired } = open();
  deploy(1, "1 * * * *");
  const event = { data: { source: "cron" }, idempotencyKey: "tick-1" };
  await running[0]?.fire(event);
  expect(fired).toEqual([["report", event]]);
});

test("one that cannot start keeps no other from it, and is not tried again and again", () => {
  const { deploy, ons } = open();
  deploy(1, "13 * * * *", "1 * * * *");
  expect(ons()).toEqual(["cron:1 * * * *"]);
});

test("a source is told whether it is gone for good, or goes on elsewhere or later", async () => {
  let isChosen = true;
  const { deploy, gone, sources } = open(() => isChosen);
  deploy(1, "1 * * * *", "2 * * * *");
  isChosen = false;
  sources.look();
  isChosen = true;
  sources.look();
  deploy(2, "1 * * * *", "2 * * * *");
  expect(gone).toEqual([]);
  deploy(2, "2 * * * *");
  expect(gone).toEqual(["cron:1 * * * *"]);
  await sources.close();
  expect(gone).toEqual(["cron:1 * * * *"]);
});

test("closed, nothing runs and nothing starts", async () => {
  const { deploy, ons, sources } = open();
  deploy(1, "1 * * * *");
  await sources.close();
  deploy(2, "2 * * * *");
  expect(ons()).toEqual([]);
});
