/** Folder of the stores in a data directory. */
export const STORES_FOLDER = "stores";
/** The node's own store. */
export const NODE_STORE = "node";
