export { Deployment } from "../deployment/deployment.js";
export { ClusterKeygroups } from "../keygroups/members/cluster-keygroups.js";
export { KeygroupOverview } from "../keygroups/overview/overview.js";
export { ClusterReplicas } from "../keygroups/members/cluster-replicas.js";
export { serveOperations } from "../keygroups/remote/operation-service.js";
export { RoutedOperations } from "../keygroups/remote/routed-operations.js";
export { Routes } from "../keygroups/remote/routes.js";
export { NodeCluster } from "./cluster.js";
