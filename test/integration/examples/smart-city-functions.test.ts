import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { deployFiles, send, until } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

const CITY_DIR = join(import.meta.dirname, "../../../examples/smart-city");
const FUNCTIONS = [
  "light-phase-calculation",
  "object-recognition",
  "traffic-statistics",
  "emergency-detection",
  "movement-plan",
  "weather-sensor-filter",
  "road-condition",
];
/** A phase takes two of them at least. */
const PHASE_UNIT_MS = 200;
const SLOW = { plate: "EN OK 1", direction: 0, speed: 5 };
const WARNING = { lights: ["yellow"], blink: true };

let city: RunningNode;
/** Each message is newer than the one before. */
let nowMs = 1_000_000;

beforeAll(async () => {
  city = await startNode(PROCESS_ISOLATION);
  for (const name of FUNCTIONS) {
    const source = readFileSync(join(CITY_DIR, `functions/${name}/index.ts`));
    const env = { PHASE_UNIT_MS: String(PHASE_UNIT_MS) };
    await deployFiles(city, name, { "index.ts": source }, { env });
  }
}, 60_000);

afterAll(() => city.remove());

async function ask(name: string, data: object): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const answer = await send(city.functionsUrl, `/${name}`, { headers, body: JSON.stringify(data) });
  expect(answer.status, answer.text).toBe(200);
  return JSON.parse(answer.text);
}

const tell = (what: object, at = nowMs++): Promise<unknown> =>
  ask("light-phase-calculation", { ...what, at });
const lights = (): Promise<unknown> => ask("light-phase-calculation", {});
const emergency = (active: boolean): Promise<unknown> =>
  tell({ emergency: { active, type: active ? "ambulance" : null } });

const isYellow = async (): Promise<boolean> => {
  const { lights: shown } = (await lights()) as { lights: string[] };
  return shown.includes("yellow");
};

test("an emergency has the lights blink, and the next message without one ends that", async () => {
  await emergency(true);
  expect(await lights()).toEqual(WARNING);
  await tell({ plan: [SLOW] });
  expect(await lights()).toEqual(WARNING);
  await emergency(false);
  expect(await lights()).toEqual({ lights: ["green"], blink: false });
});

test("an emergency within another call's phase ends it", async () => {
  const beganMs = performance.now();
  // Of 5: it takes four units and a half.
  const phase = tell({ condition: 5 });
  await until("the phase has begun", isYellow);
  await emergency(true);
  await phase;
  expect(performance.now() - beganMs).toBeLessThan(4.5 * PHASE_UNIT_MS);
  expect(await lights()).toEqual(WARNING);
  await tell({ condition: 0 });
  await emergency(false);
});

test("what another call tells while one holds the lights is what they show in the end", async () => {
  await tell({ plan: [{ ...SLOW, speed: 20 }] });
  expect(await lights()).toEqual({ lights: ["red"], blink: false });
  const phase = tell({ condition: 0 });
  await until("the phase has begun", isYellow);
  // It does not get the lights, and returns at once.
  await tell({ plan: [SLOW] });
  expect(await isYellow()).toBe(true);
  await phase;
  expect(await lights()).toEqual({ lights: ["green"], blink: false });
});

test("of two messages the older one changes nothing, however late it comes", async () => {
  await tell({ emergency: { active: true, type: "police" } });
  await tell({ emergency: { active: false, type: null } }, 1);
  expect(await lights()).toEqual(WARNING);
  await emergency(false);
});

test("a picture of an ambulance is an emergency, and one of a street ends it", async () => {
  nowMs = Date.now();
  const image = (name: string): string =>
    readFileSync(join(CITY_DIR, `images/${name}.bmp`)).toString("base64");
  const objects = (await ask("object-recognition", { image: image("ambulance") })) as {
    objects: { type: string }[];
  };
  expect(objects.objects.map(({ type }) => type)).toContain("ambulance");
  await until("the lights blink", async () => ((await lights()) as typeof WARNING).blink);
  await ask("object-recognition", { image: image("street") });
  await until("they do no more", async () => !((await lights()) as typeof WARNING).blink);
  expect(await ask("emergency-detection", { objects: objects.objects })).toEqual({
    emergency: { active: true, type: "ambulance" },
  });
});

test("weather of 0 °C without wind is weather", async () => {
  const weather = { temperature: 0, humidity: 80, wind: 0, rain: true };
  expect(await ask("weather-sensor-filter", weather)).toEqual({ accepted: true });
  // Cold, humid and rainy.
  expect(await ask("road-condition", weather)).toEqual({ condition: 3 });
  expect(await ask("weather-sensor-filter", { ...weather, temperature: -300 })).toMatchObject({
    error: expect.stringContaining("temperature"),
  });
});
