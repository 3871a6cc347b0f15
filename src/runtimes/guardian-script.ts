/** Exit status of `flock` when somebody else holds the lock. */
export const LOCK_HELD_EXIT = 75;

/**
 * The guardian: a POSIX shell program that outlives a killed node just long enough to end what the
 * node has started. It reads `add PID`, `del PID`,
 * `cgroup DIR` and `marker TEXT` lines; at the end of its input it
 * kills everything registered and exits, which releases the lock that it holds.
 *
 * @remarks A shell rather than a second Node process: it costs a few hundred KB and cannot crash for
 * the reasons that a node crashes for.
 */
export const GUARDIAN_SCRIPT = `
trap '' HUP INT TERM PIPE
pids=' '
groups=' '
markers=' '
alive() {
  read -r stat < "/proc/$1/stat" || return 1
  case "\${stat##*) }" in Z*|X*) return 1 ;; esac
}
echo ready
while read -r verb value; do
  case "$verb" in
    add) pids="$pids$value " ;;
    del) case "$pids" in *" $value "*) pids="\${pids%% $value *} \${pids#* $value }" ;; esac ;;
    cgroup) groups="$groups$value " ;;
    marker) markers="$markers$value " ;;
  esac
done
for pid in $pids; do kill -KILL "-$pid"; kill -KILL "$pid"; done
round=0
while [ "$round" -lt 80 ]; do
  left=
  for pid in $pids; do alive "$pid" && { left=1; kill -KILL "$pid"; }; done
  for group in $groups; do
    for list in "$group/cgroup.procs" "$group"/*/cgroup.procs; do
      [ -r "$list" ] || continue
      while read -r pid; do alive "$pid" && { left=1; kill -KILL "$pid"; }; done < "$list"
    done
  done
  for marker in $markers; do
    for file in $(grep -las "$marker" /proc/[0-9]*/environ); do
      pid=\${file#/proc/}
      pid=\${pid%/environ}
      alive "$pid" && { left=1; kill -KILL "$pid"; }
    done
  done
  [ -n "$left" ] || break
  round=$((round + 1))
  sleep 0.05
done
for group in $groups; do rmdir "$group"/*/ "$group"; done
exit 0
`;

/** Takes the same lock as `flock` does where that program is missing, then becomes the guardian. */
export const FCNTL_LOCK_PROGRAM = `
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.exit(${LOCK_HELD_EXIT})
os.set_inheritable(lock, True)
os.execvp("sh", ["sh", "-c", sys.argv[2]])
`;
