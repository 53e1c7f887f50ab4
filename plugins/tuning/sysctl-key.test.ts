import { expect, test } from "vitest";
import { sysctlPath } from "./sysctl-key.ts";

test.each([
  ["net.core.somaxconn", "net/core/somaxconn"],
  ["net/core/somaxconn", "net/core/somaxconn"],
  ["net.ipv4.conf.IFNAME.rp_filter", "net/ipv4/conf/eth0.5/rp_filter"],
  ["net/ipv4/conf/IFNAME/rp_filter", "net/ipv4/conf/eth0.5/rp_filter"],
  ["net/ipv4.conf/IFNAME.rp_filter", "net/ipv4/conf/eth0.5/rp_filter"],
  ["/net/core//somaxconn", "net/core/somaxconn"],
  ["net.ipv4.conf.eth1.5.rp_filter", "net/ipv4/conf/eth1.5/rp_filter"],
  ["net/ipv4/conf/eth1.5/rp_filter", "net/ipv4/conf/eth1.5/rp_filter"],
  ["net.ipv4.conf.eth1/5.rp_filter", "net/ipv4/conf/eth1.5/rp_filter"],
  ["net.ipv6.neigh.a.b.c.gc_stale_time", "net/ipv6/neigh/a.b.c/gc_stale_time"],
  ["net.ipv6.conf.all.forwarding", "net/ipv6/conf/all/forwarding"],
  ["net.ipv4.tcp_rmem", "net/ipv4/tcp_rmem"],
])("%s is %s", (key, path) => {
  expect(sysctlPath(key, "eth0.5")).toBe(path);
});

test.each([
  "kernel.shmmax",
  "vm/swappiness",
  "Net.core.somaxconn",
  "net",
  "",
  "...",
  "network.core",
  "kernel/net/core",
])("%j is not below net", (key) => {
  expect(sysctlPath(key, "eth0")).toBeUndefined();
});

test("no key leads out of net: .. is no name but a separator", () => {
  expect(sysctlPath("net/../kernel/shmmax", "eth0")).toBe("net/kernel/shmmax");
  expect(sysctlPath("net.ipv4.conf...shmmax", "eth0")).toBe("net/ipv4/conf/shmmax");
});

test("only the first IFNAME is the interface", () => {
  expect(sysctlPath("net.ipv4.conf.IFNAME.IFNAME", "eth0")).toBe("net/ipv4/conf/eth0/IFNAME");
});
