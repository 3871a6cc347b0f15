using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "data", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = [(name = "state", esModule = embed "state.mjs")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [(className = "State", uniqueKey = "state", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
  bindings = [(name = "STATE", durableObjectNamespace = "State")],
);
