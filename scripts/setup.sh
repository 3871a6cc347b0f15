#!/usr/bin/env bash
# Installs the system packages that the tests use. Debian and its kin, as root; says what it would
# need elsewhere. The node itself needs none of them but bubblewrap, and runs without it too.
# With --peers also those that `npm run peers` measures beside Enoki.
set -euo pipefail

packages=(bubblewrap strace wrk util-linux curl python3 python3-pip openssl etcd-server etcd-client libcoap3-bin python3-grpcio mosquitto mosquitto-clients)
if [ "${1:-}" = --peers ]; then packages+=(redis-server nats-server); fi

if ! command -v apt-get >/dev/null; then
  echo "setup: this system has no apt-get; install by hand: ${packages[*]}" >&2
  exit 1
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all packages are there: ${packages[*]}"
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "setup: run as root to install: ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
echo "setup: installed ${missing[*]}"
