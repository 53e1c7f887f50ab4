/**
 * Devices for containers, made of virtual links: `nic0`… on the node, each with a cable to nowhere. Hardware outlives the namespace that
 * it is in and virtual links do not, so the kernel's part is played here: the device appears on the node again.
 */
import type { TestAttachment } from "../helpers/network.ts";
import type { TestNode } from "../helpers/node.ts";
import { until } from "../helpers/until.ts";

/** Containers that a test has at once are fewer; GC and STATUS, which are about none, are asked about `spare`. */
const COUNT = 5;

export function deviceOf(index: number): string {
  return `nic${index % COUNT}`;
}

export const hostDevices = async (node: TestNode): Promise<void> => {
  const lines: string[] = ["link add spare type veth peer name sparecable"];
  for (let index = 0; index < COUNT; index++) lines.push(creation(index, deviceOf(index)), `link set nic${index} up`);
  await node.exec(["ip", "-batch", "-"], { stdin: `${lines.join("\n")}\n` });
};

/** Index and address of their own, so that one that appears again is the same; its other end is down, and nobody waits for anything. */
function creation(index: number, name: string): string {
  const number = index % COUNT;
  const own = `name ${name} index ${100 + number} address 02:00:00:00:23:0${number}`;
  const other = `name cable${number} index ${200 + number} address 02:00:00:00:24:0${number}`;
  return `link add ${own} type veth peer ${other}`;
}

/** What the kernel does with hardware when its namespace ends: on the node, down, under the container's name for it, its alias kept. */
export const comesBack = async (node: TestNode, { index, ifName }: TestAttachment): Promise<void> => {
  const cable = `cable${index % COUNT}`;
  // The namespace goes in the kernel's own time.
  await until(async () => !(await node.hasLink(cable)), `${cable} is gone`);
  const lines = [creation(index, ifName), `link set dev ${ifName} alias ${deviceOf(index)}`];
  await node.exec(["ip", "-batch", "-"], { stdin: `${lines.join("\n")}\n` });
};
