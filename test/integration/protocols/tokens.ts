import { connect } from "../../../src/client/index.js";
import { until } from "../../helpers/node-calls.js";
import type { RunningNode } from "../../helpers/running-node.js";

/** Values of `Authorization` for a call, by what is wrong with them if anything is. */
export interface Authorizations {
  readonly wrong: string;
  readonly expired: string;
  /** A good token, of a role that may only look. */
  readonly reader: string;
  /** A good token of the role that calls take. */
  readonly caller: string;
}

/** Makes tokens on a node whose admin token is `adminToken`. */
export async function authorizationsOn(
  { adminUrl }: RunningNode,
  adminToken: string,
): Promise<Authorizations> {
  const { tokens } = connect({ url: adminUrl, token: adminToken });
  const made = async (role: "invoke" | "read", expires?: string): Promise<string> =>
    (await tokens.create({ role, ...(expires !== undefined && { expires }) })).token;
  const expired = await made("invoke", "1ms");
  const asExpired = connect({ url: adminUrl, token: expired });
  await until("it expired", () =>
    asExpired.functions.list().then(
      () => false,
      ({ code }: { code?: string }) => code === "ENOKI_UNAUTHORIZED",
    ),
  );
  const caller = await made("invoke");
  return {
    wrong: `Bearer ${caller.slice(0, -1)}${caller.endsWith("0") ? "1" : "0"}`,
    expired: `Bearer ${expired}`,
    reader: `Bearer ${await made("read")}`,
    caller: `Bearer ${caller}`,
  };
}
