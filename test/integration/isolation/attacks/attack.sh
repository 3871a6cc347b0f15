#!/bin/bash
# Tries one thing that a sandbox must not allow; answers `did it` or `refused: WHY`.
read -r name argument
case "$name" in
  read) attempt() { head -c 16 "$argument"; } ;;
  list) attempt() { ls "$argument"; } ;;
  write) attempt() { printf '#' >> "$argument"; } ;;
  remove) attempt() { rm -f "$argument"; } ;;
  connect) attempt() { exec 9<> "/dev/tcp/127.0.0.1/$argument"; } ;;
  unix) attempt() { perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new($ARGV[0]) or die "$!"' "$argument"; } ;;
  signal) attempt() { kill -TERM "$argument"; } ;;
  trace) attempt() { perl "$(dirname "$0")/seize.pl" "$argument"; } ;;
  mount) attempt() { mount -t tmpfs none "$argument"; } ;;
  namespace) attempt() { unshare -U -m true; } ;;
  allocate) attempt() { perl -e '$x = "x" x $ARGV[0]; sleep 1' "$argument"; } ;;
  fill) attempt() { head -c "$argument" /dev/zero > "$TMPDIR/fill"; } ;;
  bomb) attempt() { for i in $(seq 2000); do sleep "$argument" & done; } ;;
  stubborn) attempt() { trap '' TERM; sleep "$argument" & while :; do :; done; } ;;
  spin) attempt() { while :; do :; done; } ;;
esac
if why=$( { attempt > /dev/null; } 2>&1 ); then echo "did it"; else echo "refused: $why"; fi
