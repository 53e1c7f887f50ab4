/** The programs that scripts and tests run, installed when they are missing. */
import { spawnSync } from "node:child_process";

/** Which Debian package has which program. */
const packages = {
  busybox: "busybox-static",
  conntrack: "conntrack",
  curl: "curl",
  depmod: "kmod",
  "firewall-cmd": "firewalld",
  ip: "iproute2",
  iperf3: "iperf3",
  iptables: "iptables",
  "musl-gcc": "musl-tools",
  nft: "nftables",
  ping: "iputils-ping",
  "qemu-system-x86_64": "qemu-system-x86",
  socat: "socat",
  strace: "strace",
  tcpdump: "tcpdump",
  unshare: "util-linux",
  xz: "xz-utils",
  zstd: "zstd",
} as const;
export type Tool = keyof typeof packages;

/** The environment with the directories that only root's PATH has. */
export const searched: NodeJS.ProcessEnv = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };

/** Installs what is missing with apt-get, when root, saying so through `say`. @throws Error that names what is missing */
export function provideTools(tools: readonly Tool[], say: (line: string) => void): void {
  const missing = tools.filter((tool) => !isInstalled(tool));
  if (missing.length === 0) return;
  const names = missing.map((tool) => packages[tool]);
  const byHand = `please install ${names.join(", ")} (Debian: apt-get install ${names.join(" ")})`;
  if (process.getuid?.() !== 0 || !isInstalled("apt-get")) throw new Error(byHand);
  say(`installing ${names.join(", ")} (apt-get install)`);
  aptGet(["update"]);
  aptGet(["-y", "install", "--no-install-recommends", ...names]);
  if (!missing.every(isInstalled)) throw new Error(`apt-get could not install everything: ${byHand}`);
}

/** Whether the program is found. */
export function isInstalled(command: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", command], { env: searched }).status === 0;
}

function aptGet(words: readonly string[]): void {
  const env = { ...searched, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["-q", ...words], { stdio: ["ignore", "ignore", "inherit"], env });
}
