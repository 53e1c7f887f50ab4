import { expect, test } from "vitest";
import { type Backup, formatBackup, isOfNamespace, isOutlived, mergeBackups, parseBackup } from "./backup.ts";

const nothing = {
  mac: undefined,
  mtu: undefined,
  promiscuous: undefined,
  allMulticast: undefined,
  txQueueLength: undefined,
};
const full: Backup = {
  owner: "0123456789abcdef-0123456789abcdef net eth0 id",
  sandbox: "4:4026532324 /run/netns/s",
  link: { mac: "02:00:00:00:00:01", mtu: 1500, promiscuous: false, allMulticast: true, txQueueLength: 1000 },
  sysctls: [{ path: "net/core/somaxconn", former: "4096", set: "500" }],
};

/** Written by the reference suite 1.9.1. */
const reference = `{
 "mac": "6e:79:48:6e:fc:f3",
 "promisc": false,
 "mtu": 1500,
 "allmulti": false,
 "txQLen": 1000
}`;

test("what is written is read again", () => {
  expect(parseBackup(formatBackup(full))).toEqual(full);
});

test("the reference's file is read, and ours begins as it does", () => {
  expect(parseBackup(reference)).toEqual({
    owner: "",
    sandbox: "",
    link: { mac: "6e:79:48:6e:fc:f3", mtu: 1500, promiscuous: false, allMulticast: false, txQueueLength: 1000 },
    sysctls: [],
  });
  const ours = formatBackup({ ...full, link: { ...full.link, mac: "6e:79:48:6e:fc:f3", allMulticast: false } });
  expect(ours.startsWith(reference.slice(0, -2))).toBe(true);
});

test("what was not changed is not in the file", () => {
  const text = formatBackup({ ...full, link: { ...nothing, txQueueLength: 7 }, sysctls: [] });
  expect(Object.keys(JSON.parse(text))).toEqual(["txQLen", "owner", "sandbox", "sysctls"]);
});

test.each([
  ...["", "null", "[]", "{", "\0\0\0", '{"mtu":"1500"}', '{"promisc":1}', '{"mac":5}', '{"sysctls":{}}'],
  ...[
    '{"sysctls":[5]}',
    '{"sysctls":[{"path":"net/a","former":"1"}]}',
    '{"sysctls":[{"path":"kernel/a","former":"1","set":"2"}]}',
  ],
])("%j is damaged", (text) => {
  expect(parseBackup(text)).toBeUndefined();
});

test("tuned again, the first values stay, and new ones are added", () => {
  const first: Backup = { ...full, link: { ...nothing, mtu: 1500 } };
  const second: Backup = {
    ...full,
    link: { ...nothing, mtu: 1400, mac: "02:00:00:00:00:09" },
    sysctls: [
      { path: "net/core/somaxconn", former: "500", set: "600" },
      { path: "net/ipv4/ip_forward", former: "0", set: "1" },
    ],
  };
  expect(mergeBackups(first, second)).toEqual({
    ...full,
    link: { ...nothing, mtu: 1500, mac: "02:00:00:00:00:09" },
    sysctls: [
      { path: "net/core/somaxconn", former: "4096", set: "600" },
      { path: "net/ipv4/ip_forward", former: "0", set: "1" },
    ],
  });
});

test("a record of another namespace is outlived; one that names none is not", () => {
  const nowhere = (): boolean => false;
  expect(isOutlived(full, "4:4026532324 /run/netns/s", nowhere)).toBe(false);
  expect(isOutlived(full, "4:4026532324 /run/netns/t", nowhere)).toBe(true);
  expect(isOutlived({ ...full, sandbox: "" }, "4:4026532324 /run/netns/t", nowhere)).toBe(false);
  // Another path that leads to the same one.
  const there = (path: string): boolean => path === "/run/netns/s";
  expect(isOutlived(full, "4:4026532324 /var/run/netns/s", there)).toBe(false);
  expect(isOutlived(full, "4:4026532399 /run/netns/t", there)).toBe(true);
});

test("on DEL it is the namespace that counts, not the path", () => {
  expect(isOfNamespace(full, "4:4026532324")).toBe(true);
  expect(isOfNamespace(full, "4:402653232")).toBe(false);
  expect(isOfNamespace({ ...full, sandbox: "" }, "4:4026532324")).toBe(true);
});
