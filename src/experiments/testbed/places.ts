import { PAPER_LINKS, type LinkShape } from "../network/link-shape.js";

/** Where clients are. */
export const CLIENT = "client";
/** The node in the cloud; naming is there, too. */
export const CLOUD = "cloud";

/** The n-th edge node, from 1. */
export function edgeName(n: number): string {
  return `edge${n}`;
}

/** What lies between the places of a testbed, by the kinds of its ends. */
export interface TestbedLinks {
  readonly clientToEdge: LinkShape;
  readonly edgeToEdge: LinkShape;
  readonly edgeToCloud: LinkShape;
}

/** The link between two places, as {@link PAPER_LINKS} has it where `links` says nothing else. */
export function linkBetween(
  left: string,
  right: string,
  links: Partial<TestbedLinks> = {},
): LinkShape {
  const { clientToEdge, edgeToEdge, edgeToCloud } = { ...PAPER_LINKS, ...links };
  // A client is as far from the cloud as the edge next to it.
  if (left === CLOUD || right === CLOUD) return edgeToCloud;
  return left === CLIENT || right === CLIENT ? clientToEdge : edgeToEdge;
}
