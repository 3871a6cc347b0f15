import type { ByteReader, ByteWriter } from "../codec.js";
import { compareDots, DOT_BYTES_MIN, includesDot, readDot, type Dot } from "../dot.js";
import type { Vector } from "../vector.js";

/** The commits that last put a member in place, in the order of dots. Never empty in a state. */
export type Tags = readonly Dot[];

/** One side of a join: a member's tags, and everything that side has seen. */
export interface Seen {
  readonly tags: Tags;
  readonly context: Vector;
}

/**
 * Joins the tags of one member: a tag stays if both sides hold it, or if the side without it has
 * not seen it yet. What one side has seen and no longer holds was removed.
 *
 * why a vector is enough as context: an origin's commits on one key read each other, so a state
 * that has seen one of them has seen, or seen removed, all before it.
 */
export function joinTags(left: Seen, right: Seen): Tags {
  const kept = left.tags.filter(
    (tag) => includesDot(right.tags, tag) || !right.context.covers(tag),
  );
  for (const tag of right.tags) {
    if (!includesDot(left.tags, tag) && !left.context.covers(tag)) kept.push(tag);
  }
  return kept.sort(compareDots);
}

/** Appends the tags. */
export function writeTags(writer: ByteWriter, tags: Tags): void {
  writer.varint(tags.length);
  for (const tag of tags) writer.varint(tag.epoch).varint(tag.restart).varint(tag.counter);
}

/** Reads what {@link writeTags} wrote. */
export function readTags(reader: ByteReader): Tags {
  return reader.list(DOT_BYTES_MIN, readDot);
}
