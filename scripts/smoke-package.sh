#!/usr/bin/env bash
# Packs the project, installs the tarball in an empty folder, and uses it as a newcomer would.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
node_pid=""
cleanup() {
  if [ -n "$node_pid" ]; then
    kill "$node_pid" 2>/dev/null || true
    wait "$node_pid" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT

cd "$root"
tarball=$(npm pack --silent --pack-destination "$work" | tail -n 1)
mkdir "$work/app"
cd "$work/app"
npm init --yes >/dev/null
npm install --silent "$work/$tarball"
version=$(npx enoki --version)
expected=$(node -p "require('$root/package.json').version")
[ "$version" = "$expected" ] || { echo "enoki --version says $version, not $expected" >&2; exit 1; }

mkfifo "$work/ready"
# What `npx enoki up` runs, without npx in between, so that the process id is the node's.
./node_modules/.bin/enoki up --data-dir "$work/data" --function-port 0 --admin-port 0 --json >"$work/ready" &
node_pid=$!
read -r ready <"$work/ready"
ENOKI_NODE=$(node -p "JSON.parse(process.argv[1]).admin" "$ready")
export ENOKI_NODE

# must_be WHAT ACTUAL EXPECTED
must_be() {
  [ "$2" = "$3" ] || { echo "the package is broken: $1 is \"$2\", not \"$3\"" >&2; exit 1; }
}

mkdir hello
cat >hello/index.ts <<'TS'
import { kv } from "enoki";

export async function call(name: string): Promise<string> {
  return `hello ${name}, call ${await kv.increment("calls")}`;
}
TS
# The types that come along are those that an author's editor sees.
"$root/node_modules/.bin/tsc" --noEmit --strict --skipLibCheck --module nodenext --target es2022 hello/index.ts
npx enoki deploy hello >/dev/null
must_be "the answer" "$(npx enoki invoke hello world)" "hello world, call 1"
must_be "what it stored" "$(npx enoki kv get hello calls)" 1

cat >snake.py <<'PY'
import kv


def call(name: str) -> str:
    return f"hisss {name}, call {kv.increment('calls')}"
PY
npx enoki deploy snake.py >/dev/null
must_be "Python's answer" "$(npx enoki invoke snake world)" "hisss world, call 1"

npx enoki init typescript greeter >/dev/null
npx enoki deploy greeter >/dev/null
must_be "the template's answer" "$(npx enoki invoke greeter world)" "Hello, world! You are visitor number 1."

cat >client.mjs <<'JS'
import { connect } from "enoki/client";

const client = connect(process.env.ENOKI_NODE);
console.log((await client.call("hello", "client")).text(), await client.kv("hello").get("calls"));
JS
must_be "the client's answer" "$(node client.mjs)" "hello client, call 2 2"
echo "packaged install works: enoki $version"
