export { type LinksUnderTest, runLinksContract } from "./links-contract.js";
export { type DriverUnderTest, runStorageContract } from "./storage-contract.js";
export {
  type NamingConnection,
  type NamingUnderTest,
  runNamingContract,
} from "./naming-contract.js";
