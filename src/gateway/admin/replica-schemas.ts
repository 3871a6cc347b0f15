import * as z from "zod";

const durabilitySchema = z.enum(["relaxed", "strict"]);

/** How long it is waited until another replica has everything, unless it is said. */
export const LEAVE_MS = 30_000;

/** Where data are to lie. */
export const placementField = z.string().describe("replicate, or at:NODE");

/** A new replica in a request. */
export const newReplicaSchema = z
  .strictObject({ durability: durabilitySchema.optional() })
  .meta({ id: "NewReplica" });

/** A request to place data anew. */
export const moveSchema = z.strictObject({ data: placementField }).meta({ id: "Move" });

/** A request to begin anew. */
export const refoundSchema = z
  .strictObject({ node: z.string(), force: z.boolean().optional() })
  .meta({ id: "Refound" });

/** Where the data of a keygroup are to lie, and where they do. */
export const placesSchema = z
  .strictObject({
    name: z.string(),
    policy: z.enum(["lww", "siblings", "merge"]),
    ttl: z.string().nullable(),
    data: placementField,
    replicas: z.array(
      z.strictObject({
        node: z.string(),
        durability: durabilitySchema,
        state: z.enum(["serving", "joining", "leaving", "away", "unknown"]),
      }),
    ),
  })
  .meta({ id: "KeygroupPlaces" });

/** The same after a replica was taken away. */
export const removedReplicaSchema = placesSchema
  .extend({
    /** Writes that no other member was known to have; `null` = nobody could be asked. */
    lost: z.int().min(0).nullable(),
  })
  .meta({ id: "RemovedReplica" });

/** What is left after a function was taken off a node. */
export const undeployedSchema = z
  .strictObject({ name: z.string(), node: z.string(), lost: z.int().min(0).nullable() })
  .meta({ id: "Undeployed" });
