/**
 * Runs a program in namespaces of its own, where it may set up networks as it likes: the machine's network and files stay
 * as they are, and everything is gone when the program ends, however it ends.
 */
import { spawnSync } from "node:child_process";

/** Inside: private directories over all that plugins, runtimes and `ip netns` keep on a machine. */
const prepare = `
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/tmp /run/overlay
mount -t tmpfs tmpfs /run/netns
[ -L /var/run ] || mount -t tmpfs tmpfs /var/run
if [ -d /var/lib/cni ]; then mount -t tmpfs tmpfs /var/lib/cni; else mount -t tmpfs tmpfs /var/lib; fi
mount -t tmpfs tmpfs /run/overlay
mkdir /run/overlay/upper /run/overlay/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/overlay/upper,workdir=/run/overlay/work /etc
mkdir -p /etc/cni
ip link set lo up
exec "$@"
`;

/** The exit status of the program; 1 when a signal ended it. */
export function runEnclosed(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): number {
  const unshare = ["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"];
  if (process.getuid?.() !== 0) unshare.unshift("--user", "--map-root-user");
  const { status } = spawnSync("unshare", [...unshare, "sh", "-c", prepare, "enclosure", ...argv], {
    stdio: "inherit",
    env: { ...process.env, TMPDIR: "/run/tmp", ...environment },
  });
  return status ?? 1;
}
