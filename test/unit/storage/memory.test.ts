import { createMemoryDriver } from "../../../src/storage/memory.js";
import { runStorageContract } from "../../../src/testing/storage-contract.js";

runStorageContract("memory", () =>
  Promise.resolve({ driver: createMemoryDriver(), cleanup: () => Promise.resolve() }),
);
