import { z } from "zod";

/** What the document says of one route. */
export interface DescribedRoute {
  readonly operationId: string;
  readonly parameters: { name: string; in: string; schema: unknown }[];
  readonly security?: unknown[];
  readonly requestBody?: unknown;
  readonly responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}

/** The admin API's document, as far as tests look into it. */
export interface OpenApi {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, DescribedRoute>>;
  readonly components: { readonly schemas: Record<string, object> };
}

/** A check made from what the document says of one response. */
export function checkOf(document: OpenApi, schema: object): z.ZodType {
  const whole = JSON.stringify({ ...schema, $defs: document.components.schemas });
  return z.fromJSONSchema(
    JSON.parse(whole.replaceAll("#/components/schemas/", "#/$defs/")) as never,
  );
}
