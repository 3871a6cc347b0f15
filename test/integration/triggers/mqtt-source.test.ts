import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { parseMqttAddress } from "../../../src/triggers/mqtt/mqtt-address.js";
import { endMqttSession } from "../../../src/triggers/mqtt/mqtt-session.js";
import { MqttSource, type MqttMessage } from "../../../src/triggers/mqtt/mqtt-source.js";
import { MOSQUITTO_MISSING, TestBroker } from "../../helpers/mosquitto.js";
import { fastTime } from "../../helpers/fast-time.js";
import { TcpProxy } from "../../helpers/tcp-proxy.js";
import { until } from "../../../src/testing/naming-recorder.js";

const CLIENT = "enoki0123456789abcdef01";

describe.skipIf(MOSQUITTO_MISSING !== "")(`a source of messages${MOSQUITTO_MISSING}`, () => {
  let broker: TestBroker;
  let sources: MqttSource[] = [];
  let isOver: boolean;
  /** Ends what a test has left unsettled. */
  let over: () => void;

  beforeEach(async () => {
    isOver = false;
    over = () => {};
    broker = await TestBroker.start();
  });
  afterEach(async () => {
    isOver = true;
    over();
    await Promise.all(sources.map((source) => source.close()));
    sources = [];
    await broker.remove();
  });

  /** A source whose messages are stored when the test says so. */
  function open(filter = "#", payloadBytesMax = 1024 * 1024, port = broker.port) {
    const arrived: (MqttMessage & { readonly settle: (error?: EnokiError) => void })[] = [];
    const logged: object[] = [];
    const log = (fields: object): void => void logged.push(fields);
    const source = new MqttSource({
      name: "f",
      address: parseMqttAddress(`mqtt://127.0.0.1:${port}/${filter}`),
      clientId: CLIENT,
      payloadBytesMax,
      timers: fastTime(10).timers,
      random: Math.random,
      logger: { debug: log, info: log, warn: log, error: log },
      fire: (message) =>
        new Promise((resolve, reject) => {
          const settle = (error?: EnokiError): void => (error ? reject(error) : resolve());
          if (isOver) settle();
          const before = over;
          over = () => {
            before();
            settle();
          };
          arrived.push({ ...message, settle });
        }),
    });
    sources.push(source);
    const texts = (): string[] => arrived.map(({ payload }) => payload.toString());
    const isRunning = (): boolean => source.state.kind === "running";
    return { source, arrived, texts, logged, isRunning };
  }

  const acknowledgements = (): number =>
    broker.log().split(`Received PUBACK from ${CLIENT}`).length - 1;

  async function arrives({ arrived }: ReturnType<typeof open>, count: number): Promise<void> {
    await until(() => arrived.length >= count, `${count} messages arrive`);
  }

  test("acknowledges a message when it is stored, and not before", async () => {
    const one = open();
    await until(one.isRunning);
    await broker.publish("a", "first");
    await broker.publish("a", "second");
    await arrives(one, 2);
    one.arrived[1]?.settle();
    await broker.publish("a", "third");
    await arrives(one, 3);
    expect(acknowledgements()).toBe(0);
    one.arrived[0]?.settle();
    await until(() => acknowledgements() === 2, "two are acknowledged");
  });

  test("what was not stored as the connection broke comes again, what was stored does not", async () => {
    const proxy = await new TcpProxy(() => broker.port).listen();
    onTestFinished(() => proxy.close());
    const one = open("#", 1024, proxy.port);
    await until(one.isRunning);
    await broker.publish("a", "first");
    await broker.publish("a", "second");
    await arrives(one, 2);
    one.arrived[1]?.settle();
    proxy.cut();
    await until(() => one.source.state.kind === "failing");
    proxy.heal();
    await arrives(one, 3);
    expect(one.texts()).toEqual(["first", "second", "first"]);
    expect(one.arrived[2]?.isRepeated).toBe(true);
    one.arrived[2]?.settle();
    await until(() => acknowledgements() === 2, "both are acknowledged");
    await broker.publish("a", "third");
    await arrives(one, 4);
    expect(one.texts()[3]).toBe("third");
  });

  test("a broker that begins anew sends again what was not acknowledged", async () => {
    const one = open();
    await until(one.isRunning);
    await broker.publish("a", "x");
    await arrives(one, 1);
    await broker.stop();
    await broker.restart();
    await arrives(one, 2);
    expect(one.texts()).toEqual(["x", "x"]);
    one.arrived[1]?.settle();
    await until(() => acknowledgements() === 1);
  });

  test("the broker keeps what comes while nobody is there", async () => {
    const one = open("kept/#");
    await until(one.isRunning);
    await one.source.close();
    await broker.publish("kept/1", "while away");
    await broker.publish("other", "not ours");
    await broker.stop();
    await broker.restart();
    const again = open("kept/#");
    await arrives(again, 1);
    expect(again.texts()).toEqual(["while away"]);
    again.arrived[0]?.settle();
    await until(() => acknowledgements() === 1);
  });

  test("of a session that was ended nothing is left", async () => {
    const one = open();
    await until(one.isRunning);
    await one.source.close();
    await broker.publish("a", "before");
    const address = parseMqttAddress(`mqtt://${broker.address}/#`);
    expect(await endMqttSession(address, CLIENT, systemTimers)).toBeUndefined();
    const again = open();
    await until(again.isRunning);
    await broker.publish("a", "after");
    await arrives(again, 1);
    expect(again.texts()).toEqual(["after"]);
  });

  test("a broker that is not there yet is waited for", async () => {
    await broker.stop();
    const one = open();
    await until(() => one.source.state.kind === "failing");
    expect(one.source.state).toMatchObject({ error: { code: "ENOKI_MQTT_UNREACHABLE" } });
    await broker.restart();
    await until(one.isRunning);
    await broker.publish("a", "x");
    await arrives(one, 1);
  });

  test("a broker that falls silent on an open connection is noticed", async () => {
    const one = open();
    await until(one.isRunning);
    broker.freeze(true);
    await until(() => one.source.state.kind === "failing", "silence is noticed");
    expect(one.source.state).toMatchObject({ error: { code: "ENOKI_MQTT_UNREACHABLE" } });
    broker.freeze(false);
    await until(one.isRunning);
    expect(broker.log()).toContain("Received PINGREQ");
  });

  test("what cannot be stored is tried again, waits at the broker and keeps its order", async () => {
    const one = open();
    await until(one.isRunning);
    await broker.publish("a", "x");
    await arrives(one, 1);
    for (const tries of [1, 2, 3]) {
      one.arrived[tries - 1]?.settle(new EnokiError("ENOKI_OUTBOX_FULL", "full"));
      await arrives(one, tries + 1);
    }
    expect(one.texts()).toEqual(["x", "x", "x", "x"]);
    expect(acknowledgements()).toBe(0);
    one.arrived[3]?.settle();
    await until(() => acknowledgements() === 1);
    const warnings = one.logged.filter((fields) => "code" in fields);
    expect(warnings).toMatchObject([{ function: "f", code: "ENOKI_OUTBOX_FULL" }]);
  });

  test("a message that no call can take is dropped, with an error in the log", async () => {
    const one = open("#", 100_000);
    await until(one.isRunning);
    await broker.publish("large", Buffer.alloc(300_000, 120));
    await broker.publish("small", "x");
    await arrives(one, 1);
    expect(one.arrived[0]?.topic).toBe("small");
    await until(() => acknowledgements() === 1, "the large one is acknowledged");
    const dropped = { code: "ENOKI_BODY_TOO_LARGE", topic: "large", sizeBytes: 300_000 };
    expect(one.logged).toContainEqual(expect.objectContaining(dropped));
  });

  test("bytes, nothing at all, and what the broker had kept", async () => {
    await broker.publish("kept", "old", "-r");
    const one = open();
    await until(one.isRunning);
    await arrives(one, 1);
    expect(one.arrived[0]).toMatchObject({ topic: "kept", isRetained: true });
    const bytes = Buffer.from([0, 255, 1, 254]);
    await broker.publish("bytes", bytes);
    await broker.publish("empty", "");
    await arrives(one, 3);
    expect(one.arrived[1]?.payload).toEqual(bytes);
    expect(one.arrived[2]?.payload.length).toBe(0);
  });

  test("a thousand messages come in their order, each once", async () => {
    const one = open();
    await until(one.isRunning);
    const lines = Array.from({ length: 1000 }, (_, index) => `m${index}`);
    const sending = broker.publishLines("a", lines);
    let settled = 0;
    await until(() => {
      for (; settled < one.arrived.length; settled++) one.arrived[settled]?.settle();
      return settled >= lines.length;
    }, "all arrive");
    await sending;
    expect(one.texts()).toEqual(lines);
    await until(() => acknowledgements() === 1000);
  });

  test("two with one session take turns, and lose nothing", async () => {
    const first = open();
    await until(first.isRunning);
    await broker.publish("a", "before");
    await arrives(first, 1);
    const second = open();
    await arrives(second, 1);
    expect(second.texts()).toEqual(["before"]);
    second.arrived[0]?.settle();
    await until(() => acknowledgements() >= 1);
  });
});

describe.skipIf(MOSQUITTO_MISSING !== "")(`a broker with passwords${MOSQUITTO_MISSING}`, () => {
  test("refuses a wrong one, which is told without it, and takes it once it is right", async () => {
    const broker = await TestBroker.start({ user: "me", password: "right" });
    const logged: unknown[] = [];
    const log = (...line: unknown[]): void => void logged.push(line);
    const source = new MqttSource({
      name: "f",
      address: parseMqttAddress(`mqtt://me:s3cret@${broker.address}/#`),
      clientId: CLIENT,
      payloadBytesMax: 1000,
      timers: fastTime(10).timers,
      random: Math.random,
      logger: { debug: log, info: log, warn: log, error: log },
      fire: async () => {},
    });
    try {
      await until(() => source.state.kind === "failing");
      expect(source.state).toMatchObject({ error: { code: "ENOKI_MQTT_REFUSED" } });
      broker.setPassword("s3cret");
      await broker.stop();
      await broker.restart();
      await until(() => source.state.kind === "running");
      expect(JSON.stringify(logged)).not.toContain("s3cret");
    } finally {
      await source.close();
      await broker.remove();
    }
  });
});
