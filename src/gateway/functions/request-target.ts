/** A request's target, cut into what the gateway routes by and what the function gets. */
export interface RequestTarget {
  /** First path segment, as received: `""` for the root. */
  readonly name: string;
  /** What follows it: `""` or `"/…"`, percent-encoded. */
  readonly path: string;
  /** Without `?`. */
  readonly query: string;
}

/** Cuts `/name/path?query`; also takes the absolute form that proxies send. */
export function parseTarget(url: string): RequestTarget {
  let at = 0;
  if (!url.startsWith("/")) {
    const authority = url.indexOf("://");
    const slash = authority < 0 ? -1 : url.indexOf("/", authority + 3);
    if (slash < 0) return { name: "", path: "", query: "" };
    at = slash;
  }
  const fragment = url.indexOf("#", at);
  const end = fragment < 0 ? url.length : fragment;
  const mark = url.indexOf("?", at);
  const pathEnd = mark < 0 || mark > end ? end : mark;
  const query = pathEnd < end ? url.slice(pathEnd + 1, end) : "";
  const slash = url.indexOf("/", at + 1);
  const nameEnd = slash < 0 || slash > pathEnd ? pathEnd : slash;
  return { name: url.slice(at + 1, nameEnd), path: url.slice(nameEnd, pathEnd), query };
}
