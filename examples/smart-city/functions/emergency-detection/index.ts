import * as enoki from "enoki";

/** What has the right of way, the most urgent first. */
const EMERGENCIES = ["ambulance", "police", "lunatic"];

/** Tells the lights whether there is an emergency among the objects, and also that there is none. */
export async function call({
  objects,
}: {
  readonly objects: readonly { readonly type: string }[];
}) {
  const type = EMERGENCIES.find((name) => objects.some((object) => object.type === name)) ?? null;
  const emergency = { active: type !== null, type };
  await enoki.send("light-phase-calculation", { emergency, at: Date.now() });
  return { emergency };
}
