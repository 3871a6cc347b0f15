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
node node_modules/enoki/dist/cli/main.js up --data-dir "$work/data" --function-port 0 --admin-port 0 --json >"$work/ready" &
node_pid=$!
read -r ready <"$work/ready"
ENOKI_NODE=$(node -p "JSON.parse(process.argv[1]).admin" "$ready")
export ENOKI_NODE

mkdir hello
cat >hello/index.ts <<'TS'
import { kv } from "enoki";

export async function call(name: string): Promise<string> {
  return `hello ${name}, call ${await kv.increment("calls")}`;
}
TS
npx enoki deploy hello >/dev/null
answer=$(npx enoki invoke hello world)
[ "$answer" = "hello world, call 1" ] || { echo "the packaged node answered: $answer" >&2; exit 1; }
value=$(npx enoki kv get hello calls)
[ "$value" = "1" ] || { echo "the packaged node stored: $value" >&2; exit 1; }
echo "packaged install works: enoki $version"
