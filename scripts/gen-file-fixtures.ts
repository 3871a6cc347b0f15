/** Files of a store's folder, for `gen-fixtures.ts`. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckpointFile, META_PAGES_SIZE_BYTES } from "../src/storage/checkpoint-file.js";
import { claimFormat } from "../src/storage/format-file.js";
import { partsOf } from "../test/helpers/file-parts.js";

/** The file `format`, and a `checkpoint` with both its slots used. */
export async function storeFiles() {
  const dir = await mkdtemp(join(tmpdir(), "enoki-fixtures-"));
  try {
    await claimFormat(dir);
    const path = join(dir, "checkpoint");
    const metaPages = new Uint8Array(META_PAGES_SIZE_BYTES);
    metaPages.set([1, 2, 3]);
    metaPages.set([4, 5, 6], META_PAGES_SIZE_BYTES - 3);
    const first = { sequence: 2 ** 40, bootId: "büt", metaPages };
    await CheckpointFile.create(path, first);
    const file = await CheckpointFile.open(path);
    const second = { ...first, sequence: first.sequence + 1, metaPages: metaPages.toReversed() };
    await file.write(second);
    await file.close();
    return {
      format: await readFile(join(dir, "format"), "utf8"),
      checkpoint: partsOf(await readFile(path)),
      means: [first, second].map(({ sequence, bootId, metaPages: pages }) => ({
        sequence,
        bootId,
        metaPages: partsOf(pages),
      })),
    };
  } finally {
    await rm(dir, { recursive: true });
  }
}
