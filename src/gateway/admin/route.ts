import type { z } from "zod";

import type { Caller } from "../../access/access.js";
import type { Right, Role } from "../../core/rights.js";
import { parseInput } from "../../input/parse-input.js";
import { decodePart, parseQuery } from "./query.js";

/** Who may use a route: `open` = everybody, `any` = whoever has a token, else who has the role. */
export type RouteAccess = "open" | "any" | Role;

/** Methods that the admin port knows; `HEAD` comes with every `GET`. */
export type Method = "GET" | "PUT" | "POST" | "PATCH" | "DELETE";

/** One kind of body of a request or a response. */
export interface BodyDescription {
  readonly description: string;
  /** `undefined` = no body. */
  readonly contentType?: string;
  /** Shape of a JSON body, or of one line of an NDJSON stream. */
  readonly schema?: z.ZodType;
  readonly headers?: readonly string[];
}

/** A header that a route reads. */
export interface HeaderDescription {
  readonly name: string;
  readonly description: string;
}

/** One request as a handler sees it: everything that the route declares is checked. */
export interface AdminCall<Query> {
  readonly request: Request;
  readonly caller: Caller;
  readonly query: Query;
  /** A part of the path, percent-decoded. */
  param(name: string): string;
  /** False for `HEAD`: a stream need not begin. */
  readonly wantsBody: boolean;
}

interface RouteDescription {
  readonly method: Method;
  /** OpenAPI template: `/v1/functions/{name}`. */
  readonly path: string;
  /** Unique name for generated clients. */
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: RouteAccess;
  /** Whoever was granted it on the keygroup of the path may use the route, too. */
  readonly right?: Right;
  /** Its lines go on until the client leaves, or may read them no more. */
  readonly isEndless?: boolean;
  readonly headers?: readonly HeaderDescription[];
  readonly requestBody?: BodyDescription;
  readonly responses: Readonly<Record<number, BodyDescription>>;
  /** Overrides the problem document, for the endpoints in tinyFaaS's form. */
  readonly onError?: (error: unknown) => Response;
  /** Answers a wrong method where 405 is not what clients expect. */
  readonly onWrongMethod?: () => Response;
}

/** One row of the table that the router and the OpenAPI document are both made from. */
export interface AdminRoute extends RouteDescription {
  readonly query?: z.ZodObject;
  answer(request: Request, caller: Caller): Promise<Response>;
}

/** Declares a route; its query is checked before `handle` runs. */
export function route<Query extends z.ZodObject = z.ZodObject<Record<never, never>>>(
  description: RouteDescription & {
    readonly query?: Query;
    readonly handle: (call: AdminCall<z.output<Query>>) => Response | Promise<Response>;
  },
): AdminRoute {
  const { handle, ...row } = description;
  return {
    ...row,
    answer: async (request, caller) => {
      const { path, query } = splitUrl(request.url);
      const params = pathParams(row.path, path);
      const call: AdminCall<z.output<Query>> = {
        request,
        caller,
        query: (row.query
          ? parseInput(row.query, parseQuery(query), "query")
          : {}) as z.output<Query>,
        param: (name) => params.get(name) as string,
        wantsBody: request.method !== "HEAD",
      };
      return handle(call);
    },
  };
}

/** Path and query of a URL as they were sent, still percent-encoded. */
export function splitUrl(url: string): { readonly path: string; readonly query: string } {
  const from = url.indexOf("/", url.indexOf("//") + 2);
  const [beforeHash = ""] = url.slice(from).split("#", 1);
  const mark = beforeHash.indexOf("?");
  if (mark < 0) return { path: beforeHash, query: "" };
  return { path: beforeHash.slice(0, mark), query: beforeHash.slice(mark + 1) };
}

/** True if `path` (still percent-encoded) is one that the template stands for. */
export function matchesTemplate(template: string, path: string): boolean {
  const expected = template.split("/");
  const actual = path.split("/");
  return (
    expected.length === actual.length &&
    expected.every((part, i) => (part.startsWith("{") ? actual[i] !== "" : part === actual[i]))
  );
}

/** The parts of a path that its template names, percent-decoded. */
export function pathParams(template: string, path: string): Map<string, string> {
  const actual = path.split("/");
  const params = new Map<string, string>();
  for (const [i, part] of template.split("/").entries()) {
    if (part.startsWith("{")) params.set(part.slice(1, -1), decodePart(actual[i] as string));
  }
  return params;
}
