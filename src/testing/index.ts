export { type DriverUnderTest, runStorageContract } from "./storage-contract.js";
