import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Address } from "../../pkg/ip/address.ts";
import { probeStore } from "./probe.ts";
import type { Owner } from "./reservation.ts";
import { ReservationStore } from "./store.ts";

/** The system calls that Node has no function for; nobody else wants the lock here. */
vi.mock("#system", async () => {
  const { futimesSync } = await import("node:fs");
  return {
    flock: (): number => 0,
    errno: (): number => 0,
    clockMs: (): number => performance.now(),
    poll: (): number => 0,
    setModificationTime: (fd: number, seconds: number): number => {
      futimesSync(fd, seconds, seconds);
      return 0;
    },
  };
});

let dataDir = "";
let warnings: string[] = [];
const warn = (line: string): void => void warnings.push(line);

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "host-local-"));
  warnings = [];
});

afterEach(() => {
  rmSync(dataDir, { recursive: true });
});

function address(text: string): Address {
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

function owner(containerId: string, ifName = "eth0"): Owner {
  return { containerId, ifName };
}

function reserve(who: Owner, ...texts: string[]): boolean[] {
  const store = ReservationStore.openFor(who, dataDir, "net", warn);
  store.addressesOf(who); // as ADD does
  const results = texts.map((text, index) => store.reserve(address(text), index));
  store.close();
  return results;
}

function withStore<T>(action: (store: ReservationStore) => T): T {
  const store = ReservationStore.find(dataDir, "net", warn);
  if (store === undefined) throw new Error("no store");
  try {
    return action(store);
  } finally {
    store.close();
  }
}

function held(who: Owner): string[] {
  return withStore((store) => store.addressesOf(who).map((each) => each.toString()));
}

const file = (name: string): string => join(dataDir, "net", name);
const indexFile = (name: string): string => join(dataDir, ".ferrule/net", name);
const indexFiles = (): string[] => readdirSync(join(dataDir, ".ferrule/net")).toSorted();

/** Whether a call would read the files themselves: it would find what the index does not know. */
function scans(): boolean {
  let scanned = false;
  withStore((store) => {
    const all = store.all.bind(store);
    store.all = () => {
      scanned = true;
      return all();
    };
    store.addressesOf(owner("nobody"));
  });
  return scanned;
}

describe("ReservationStore", () => {
  it("writes exactly what the reference writes", () => {
    expect(reserve(owner("c1"), "10.1.0.2", "fd00::2")).toEqual([true, true]);
    expect(readdirSync(join(dataDir, "net")).toSorted()).toEqual(
      ["10.1.0.2", "fd00::2", "last_reserved_ip.0", "last_reserved_ip.1", "lock"].toSorted(),
    );
    expect(readFileSync(file("10.1.0.2"), "utf8")).toBe("c1\r\neth0");
    expect(readFileSync(file("last_reserved_ip.1"), "utf8")).toBe("fd00::2");
    expect(statSync(join(dataDir, "net")).mode & 0o777).toBe(0o755);
    expect(statSync(file("10.1.0.2")).mode & 0o777).toBe(0o600);
    expect(statSync(file("last_reserved_ip.0")).mode & 0o777).toBe(0o600);
    expect(statSync(file("lock")).mode & 0o777).toBe(0o750);
  });

  it("does not give an address twice, and tells who holds it", () => {
    reserve(owner("c1"), "10.1.0.2");
    expect(reserve(owner("c2"), "10.1.0.2")).toEqual([false]);
    expect(withStore((store) => store.holderOf(address("10.1.0.2")))).toEqual({ owner: owner("c1"), ageSeconds: 0 });
    expect(withStore((store) => store.holderOf(address("10.1.0.3")))).toBeUndefined();
  });

  it("releases what an attachment holds and nothing else", () => {
    reserve(owner("c1"), "10.1.0.2", "fd00::2");
    reserve(owner("c1", "eth1"), "10.1.0.3");
    withStore((store) => {
      for (const each of store.addressesOf(owner("c1"))) store.release(each, owner("c1"));
      store.release(address("10.1.0.3"), owner("c1"));
    });
    expect(held(owner("c1"))).toEqual([]);
    expect(held(owner("c1", "eth1"))).toEqual(["10.1.0.3"]);
  });

  it("finds what the reference reserved, and reads nothing twice", () => {
    reserve(owner("c1"), "10.1.0.2");
    expect(scans()).toBe(false);
    writeFileSync(file("10.1.0.9"), " c9\r\neth0 \n");
    expect(scans()).toBe(true);
    expect(scans()).toBe(false);
    expect(held(owner("c9"))).toEqual(["10.1.0.9"]);
  });

  it("believes the reservation, not the index: what the reference released is free", () => {
    reserve(owner("c1"), "10.1.0.2");
    unlinkSync(file("10.1.0.2"));
    expect(held(owner("c1"))).toEqual([]);
    expect(reserve(owner("c2"), "10.1.0.2")).toEqual([true]);
    expect(held(owner("c1"))).toEqual([]);
  });

  it("makes the index anew after a boot, and when somebody removed it or the reservations", () => {
    reserve(owner("c1"), "10.1.0.2");
    const mark = join(dataDir, ".ferrule/net/complete");
    writeFileSync(mark, readFileSync(mark, "utf8").replace(/^\S+/, "00000000-0000-0000-0000-000000000000"));
    expect(scans()).toBe(true);
    rmSync(join(dataDir, ".ferrule"), { recursive: true });
    expect(held(owner("c1"))).toEqual(["10.1.0.2"]);
    rmSync(join(dataDir, "net"), { recursive: true });
    mkdirSync(join(dataDir, "net"));
    expect(held(owner("c1"))).toEqual([]);
    expect(readdirSync(join(dataDir, ".ferrule/net"))).toEqual(["complete"]);
  });

  it("reclaims the empty file that a crash leaves, which the reference leaks for ever, and says so", () => {
    mkdirSync(join(dataDir, "net"));
    writeFileSync(file("10.1.0.2"), "");
    writeFileSync(file("10.1.0.3"), "\0\0\0\0");
    expect(held(owner("c1"))).toEqual([]);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain("names no container");
    expect(reserve(owner("c1"), "10.1.0.2")).toEqual([true]);
    expect(readdirSync(join(dataDir, ".ferrule/net"))).toContain("damaged-10.1.0.3");
  });

  it("takes a damaged last_reserved_ip for none", () => {
    reserve(owner("c1"), "10.1.0.2");
    expect(withStore((store) => store.lastReserved(0)?.toString())).toBe("10.1.0.2");
    writeFileSync(file("last_reserved_ip.0"), "10.1.");
    expect(withStore((store) => store.lastReserved(0))).toBeUndefined();
    expect(withStore((store) => store.lastReserved(7))).toBeUndefined();
  });

  it("knows files of old releases, which name the container alone", () => {
    reserve(owner("c1"), "10.1.0.2");
    writeFileSync(file("10.1.0.3"), "old\n");
    expect(held({ containerId: "old", ifName: "" })).toEqual(["10.1.0.3"]);
    expect(held(owner("old"))).toEqual([]);
  });

  it("keeps attachments apart whose names are longer than a file's", () => {
    const long = "x".repeat(230);
    reserve(owner(`${long}1`), "10.1.0.2");
    reserve(owner(`${long}2`), "10.1.0.3");
    expect(held(owner(`${long}1`))).toEqual(["10.1.0.2"]);
    withStore((store) => store.release(address("10.1.0.2"), owner(`${long}1`)));
    expect(held(owner(`${long}2`))).toEqual(["10.1.0.3"]);
    expect(indexFiles().filter((name) => name.includes("@"))).toHaveLength(1);
    expect(scans()).toBe(false);
  });

  it("leaves nothing temporary behind, and no file of an attachment that holds nothing", () => {
    reserve(owner("c1"), "10.1.0.2", "fd00::2");
    expect(indexFiles()).toEqual(["complete", "eth0@c1"]);
    withStore((store) => {
      for (const each of ["10.1.0.2", "fd00::2"]) store.release(address(each), owner("c1"));
    });
    expect(indexFiles()).toEqual(["complete"]);
    expect(scans()).toBe(false);
  });

  it("removes what killed ADDs left: with the attachment's next call, with GC, or when it is old", () => {
    reserve(owner("c1"), "10.1.0.2");
    const leave = (name: string): void => writeFileSync(indexFile(name), "c9\r\neth0");
    for (const name of ["eth0@c1~new", "eth0@c2~new", "eth0@c3~new", "eth0@c4~new", "eth0@c5~new", "next"]) leave(name);
    utimesSync(indexFile("eth0@c5~new"), 1, 1);
    withStore((store) => store.all());
    const young = ["eth0@c1~new", "eth0@c2~new", "eth0@c3~new", "eth0@c4~new"];
    expect(indexFiles()).toEqual(["complete", "eth0@c1", ...young]);
    withStore((store) => store.removeLeftovers(owner("c1")));
    expect(reserve(owner("c2"), "10.1.0.3")).toEqual([true]);
    expect(readFileSync(file("10.1.0.3"), "utf8")).toBe("c2\r\neth0");
    withStore((store) => store.removeLeftoversExcept([owner("c3")]));
    expect(indexFiles()).toEqual(["complete", "eth0@c1", "eth0@c2", "eth0@c3~new"]);
  });

  it("collects what is stale, keeps what cannot be removed, and knows all of that afterwards", () => {
    reserve(owner("dead"), "10.1.0.2", "fd00::2");
    reserve(owner("alive"), "10.1.0.3");
    reserve(owner("stuck"), "10.1.0.4");
    writeFileSync(file("10.1.0.9"), "foreign\r\neth0");
    const tried: string[] = [];
    withStore((store) => {
      store.collect(
        (each) => each.containerId !== "alive",
        (stale, remove) => {
          tried.push(stale.address.toString());
          if (stale.owner.containerId !== "stuck") remove();
        },
      );
    });
    expect(tried.toSorted()).toEqual(["10.1.0.2", "10.1.0.4", "10.1.0.9", "fd00::2"]);
    expect(
      readdirSync(join(dataDir, "net"))
        .filter((name) => Address.parse(name) !== undefined)
        .toSorted(),
    ).toEqual(["10.1.0.3", "10.1.0.4"]);
    expect(indexFiles()).toEqual(["complete", "eth0@alive", "eth0@stuck"]);
    expect(scans()).toBe(false);
    expect(held(owner("stuck"))).toEqual(["10.1.0.4"]);
  });

  it("takes back what was reserved before a step failed", () => {
    reserve(owner("c1"), "10.1.0.2");
    mkdirSync(file("last_reserved_ip.1/full"), { recursive: true });
    const store = ReservationStore.openFor(owner("c2"), dataDir, "net", warn);
    expect(store.reserve(address("10.1.0.3"), 0)).toBe(true);
    expect(() => store.reserve(address("fd00::3"), 1)).toThrow();
    expect(store.takeBack()).toEqual([]);
    store.close();
    expect(readdirSync(join(dataDir, "net")).toSorted()).toEqual(
      ["10.1.0.2", "last_reserved_ip.0", "last_reserved_ip.1", "lock"].toSorted(),
    );
    expect(indexFiles()).toEqual(["complete", "eth0@c1"]);
  });

  it("goes on without an index that cannot be written, says so, and makes it anew when it can", () => {
    reserve(owner("c1"), "10.1.0.2");
    mkdirSync(indexFile("eth0@c2/full"), { recursive: true });
    expect(reserve(owner("c2"), "10.1.0.3")).toEqual([true]);
    expect(warnings.join("\n")).toContain("cannot be written");
    rmSync(indexFile("eth0@c2"), { recursive: true });
    expect(scans()).toBe(true);
    expect(held(owner("c2"))).toEqual(["10.1.0.3"]);
    expect(scans()).toBe(false);
  });

  it("finds its way among thousands of reservations", () => {
    mkdirSync(join(dataDir, "net"));
    for (let index = 0; index < 5000; index += 1)
      writeFileSync(file(`10.0.${index >> 8}.${index & 255}`), `c${index}\r\neth0`);
    expect(held(owner("c4999"))).toEqual(["10.0.19.135"]);
    expect(scans()).toBe(false);
    expect(withStore((store) => store.taken()).size).toBe(5000);
    expect(reserve(owner("new"), "10.0.19.135", "10.1.0.1")).toEqual([false, true]);
  }, 60_000);

  it("is not there before the first reservation", () => {
    expect(ReservationStore.find(dataDir, "net", warn)).toBeUndefined();
    expect(probeStore(dataDir, "net", 0)).toEqual([]);
    expect(readdirSync(dataDir), "asking leaves nothing").toEqual([]);
  });
});
