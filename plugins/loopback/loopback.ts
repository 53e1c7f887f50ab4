/**
 * loopback: brings up the sandbox's `lo`. Runtimes put it first, or run it on its own, for every container.
 *
 *   sandbox[lo] 127.0.0.1/8 ::1/128
 */

import { ZERO_MAC } from "../../pkg/ip/mac.ts";
import { listAddresses } from "../../pkg/netlink/address.ts";
import { changeLink, findLink, type Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { type Add, type Check, type Del, definePlugin, type Plugin } from "../../pkg/skel/plugin.ts";
import { alwaysReady, nothingToCollect } from "../../pkg/skel/verbs.ts";
import { drift, invalidConfig } from "../../spec/errors.ts";
import type { Keys } from "../../spec/keys.ts";
import { describeInterface, type IpConfig, noDns, type Result } from "../../spec/result.ts";

interface LoopbackConfig {
  readonly type: string;
}

const config = (keys: Keys): LoopbackConfig => ({
  type: keys.text("type", "loopback", "loopback"),
});

export function loopback(): Plugin {
  return definePlugin({
    type: "loopback",
    since: "0.1.0",
    entersSandbox: true,
    config,
    add,
    del,
    check,
    gc: nothingToCollect,
    status: alwaysReady,
  });
}

/** Whatever CNI_IFNAME says, the interface is `lo`. */
function add({ sandbox, prevResult, undo }: Add<LoopbackConfig>): Result {
  const stack = sandbox.stack;
  const lo = findLoopback(stack);
  if (!lo.up) {
    undo.push("set lo down", () => changeLink(stack, lo, { up: false }));
    changeLink(stack, lo, { up: true });
  }
  const ips = loopbackAddresses(stack, lo);
  if (prevResult !== undefined) return prevResult;
  const device = describeInterface("lo", ZERO_MAC, lo.mtu, sandbox.path);
  return { interfaces: [device], ips, routes: [], dns: noDns };
}

function del({ sandbox, teardown }: Del<LoopbackConfig>): void {
  const stack = sandbox.find();
  if (stack === undefined) return;
  teardown.attempt("set lo down", () => changeLink(stack, findLoopback(stack), { up: false }));
}

function check({ sandbox }: Check<LoopbackConfig>): void {
  const stack = sandbox.stack;
  const lo = findLoopback(stack);
  const enter = `nsenter --net=${sandbox.path}`;
  if (!lo.up) throw drift("loopback interface is down", `bring it up: ${enter} ip link set lo up`);
  if (listAddresses(stack, lo).some(({ prefix }) => prefix.family === 4 && prefix.address.isLoopback)) return;
  throw drift("address 127.0.0.1 is missing on lo", `add it: ${enter} ip addr add 127.0.0.1/8 dev lo`);
}

function findLoopback(stack: NetworkStack): Link {
  const lo = findLink(stack, "lo");
  if (lo === undefined)
    throw drift("loopback interface is missing", "every network namespace has one: CNI_NETNS is broken");
  return lo;
}

/** The first address of each family; the kernel gives them when `lo` comes up, ::1 only where IPv6 is on. */
function loopbackAddresses(stack: NetworkStack, lo: Link): IpConfig[] {
  const ips: IpConfig[] = [];
  for (const { prefix } of listAddresses(stack, lo)) {
    if (!prefix.address.isLoopback) {
      throw invalidConfig(
        `loopback interface found with non-loopback address "${prefix.address.toString()}"`,
        "remove the address, or give the container another network namespace",
      );
    }
    if (ips.some((ip) => ip.address.family === prefix.family)) continue;
    ips.push({ address: prefix, gateway: undefined, interface: 0 });
  }
  return ips.toSorted((a, b) => a.address.family - b.address.family);
}
