export { Deployment } from "../deployment/deployment.js";
export { ClusterKeygroups } from "../keygroups/members/cluster-keygroups.js";
export { NodeCluster } from "./cluster.js";
