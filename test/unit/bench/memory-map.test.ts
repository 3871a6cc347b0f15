import { expect, test } from "vitest";

import { bytesAlone, parseMemoryMap } from "../../../src/bench/memory-map.js";

const SMAPS = `00400000-00500000 r-xp 00000000 fe:00 1234   /usr/bin/some (program)
Size:               1024 kB
Pss:                 300 kB
Pss_Dirty:             0 kB
Shared_Clean:        600 kB
Shared_Dirty:          0 kB
Private_Clean:        10 kB
Private_Dirty:         5 kB
VmFlags: rd ex mr mw me
7f0000000000-7f0000100000 rw-p 00000000 00:00 0 [heap]
Pss:                  40 kB
Shared_Dirty:         20 kB
Private_Dirty:        30 kB
`;

test("each mapping is read with its file, memory without one as such", () => {
  const kb = 1024;
  expect(parseMemoryMap(SMAPS)).toEqual([
    { file: "fe:00:1234", pssBytes: 300 * kb, privateBytes: 15 * kb, sharedBytes: 600 * kb },
    { file: "", pssBytes: 40 * kb, privateBytes: 30 * kb, sharedBytes: 20 * kb },
  ]);
});

test("a file that several processes share counts once and in full, forked memory by its share", () => {
  const code = { file: "a:1", pssBytes: 1, privateBytes: 10, sharedBytes: 500 };
  const heap = { file: "", pssBytes: 40, privateBytes: 30, sharedBytes: 20 };
  const other = { ...code, sharedBytes: 400 };
  expect(bytesAlone([[code, heap], [other]])).toBe(500 + 10 + 10 + 40);
});

test("parts of one file in one process add up", () => {
  const part = { file: "a:1", pssBytes: 1, privateBytes: 0, sharedBytes: 100 };
  expect(bytesAlone([[part, part]])).toBe(200);
});
