/** Lines for iptables-restore; test/firewall shows what they do, and test/interop that the reference takes them for its own. */
import { describe, expect, test } from "vitest";
import { Address } from "../../pkg/ip/address.ts";
import { Attachment } from "../../pkg/skel/attachment.ts";
import type { IngressPolicy } from "./config.ts";
import { installation, missing, removal } from "./iptables-rules.ts";
import type { Wanted } from "./wanted.ts";

const one = new Attachment("net", "c1", "eth0");
const two = new Attachment("net", "c2", "eth0");

function wanted(attachment: Attachment, addresses: readonly string[], policy: IngressPolicy = "open"): Wanted {
  return {
    attachment,
    addresses: addresses.map((text) => Address.parse(text) ?? new Address(new Uint8Array(4))),
    ingress: policy === "open" ? undefined : { policy, bridge: "cni0", port: "veth1" },
    mark: 0,
    zone: "",
  };
}

/** A table as it is once the lines are applied, as iptables-restore does it. */
function applied(saved: readonly string[], lines: readonly string[]): string[] {
  let table = [...saved];
  for (const line of lines) {
    const [verb, chain = "", ...rest] = line.split(" ");
    const mine = (each: string): boolean => each.startsWith(`-A ${chain} `);
    if (verb === "-N") table.push(`:${chain} - [0:0]`);
    else if (verb === "-A") table.push(line);
    else if (verb === "-I") {
      const place = table.findIndex(mine);
      const at = place < 0 ? table.length : place + Number(rest[0]) - 1;
      table.splice(at, 0, `-A ${chain} ${rest.slice(1).join(" ")}`);
    } else if (verb === "-D") {
      const at = table.indexOf(`-A ${line.slice(3)}`);
      if (at < 0) throw new Error(`no such rule: ${line}`);
      table.splice(at, 1);
    } else if (verb === "-F") table = table.filter((each) => !mine(each));
    else if (verb === "-X") {
      if (table.some((each) => mine(each) || each.endsWith(` -j ${chain}`))) throw new Error(`in use: ${chain}`);
      table = table.filter((each) => !each.startsWith(`:${chain} `));
    }
  }
  return table;
}

function rulesOf(table: readonly string[], chain: string): string[] {
  return table.filter((line) => line.startsWith(`-A ${chain} `)).map((line) => line.slice(`-A ${chain} `.length));
}

const ofPolicy = (policy: string): string =>
  `-m comment --comment "CNI firewall plugin rules (ingressPolicy: ${policy})"`;
const both = ofPolicy("same-bridge|isolated");
const empty = [":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]"];
const none = (): boolean => false;

describe("installation()", () => {
  test("makes the reference's chains and rules in an empty table, and a claim", () => {
    const table = applied(empty, installation(empty, wanted(one, ["10.1.0.2"]), "CNI-ADMIN"));
    expect(rulesOf(table, "FORWARD")).toEqual(['-m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD']);
    expect(rulesOf(table, "CNI-FORWARD")).toEqual([
      '-m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN',
      "-d 10.1.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-s 10.1.0.2/32 -j ACCEPT",
    ]);
    expect(rulesOf(table, "FERRULE-FIREWALL")).toEqual([`-s 10.1.0.2/32 -m comment --comment "${one.tag}"`]);
    expect(rulesOf(table, "CNI-ADMIN")).toEqual([]);
  });

  test("makes the reference's stages for an isolated bridge", () => {
    const table = applied(empty, installation(empty, wanted(one, ["fd00::2"], "isolated"), "OWN"));
    expect(rulesOf(table, "FORWARD").map((line) => line.split(" -j ")[1])).toEqual([
      "CNI-ISOLATION-STAGE-1",
      "CNI-FORWARD",
    ]);
    expect(rulesOf(table, "CNI-ISOLATION-STAGE-1")).toEqual([
      `-i cni0 -o cni0 ${ofPolicy("isolated")} -j DROP`,
      `-i cni0 ! -o cni0 ${ofPolicy("isolated")} -j CNI-ISOLATION-STAGE-2`,
      `${both} -j RETURN`,
    ]);
    expect(rulesOf(table, "CNI-ISOLATION-STAGE-2")).toEqual([`-o cni0 ${both} -j DROP`, `${both} -j RETURN`]);
  });

  test("changes nothing where all is as it should be", () => {
    const plan = wanted(one, ["10.1.0.2", "10.1.0.3"], "same-bridge");
    const table = applied(empty, installation(empty, plan, "CNI-ADMIN"));
    expect(installation(table, plan, "CNI-ADMIN")).toEqual([]);
    expect(missing(table, plan, "CNI-ADMIN")).toEqual([]);
  });

  test("the reference leaves the DROP of isolated when the policy becomes same-bridge; here it goes", () => {
    const before = applied(empty, installation(empty, wanted(one, ["10.1.0.2"], "isolated"), "CNI-ADMIN"));
    const table = applied(before, installation(before, wanted(two, ["10.1.0.3"], "same-bridge"), "CNI-ADMIN"));
    expect(rulesOf(table, "CNI-ISOLATION-STAGE-1")).toEqual([
      `-i cni0 ! -o cni0 ${ofPolicy("same-bridge")} -j CNI-ISOLATION-STAGE-2`,
      `${both} -j RETURN`,
    ]);
  });

  test("what accepts comes behind the stages, in whatever order they are lost and made again", () => {
    const plan = wanted(one, ["10.1.0.2"], "isolated");
    const full = applied(empty, installation(empty, plan, "CNI-ADMIN"));
    for (const lost of ["CNI-FORWARD", "CNI-ISOLATION-STAGE-1"]) {
      const rest = full.filter((line) => !(line.startsWith("-A FORWARD ") && line.endsWith(` -j ${lost}`)));
      expect(missing(rest, plan, "CNI-ADMIN")).toHaveLength(1);
      const table = applied(rest, installation(rest, plan, "CNI-ADMIN"));
      expect(rulesOf(table, "FORWARD")).toEqual(rulesOf(full, "FORWARD"));
    }
    const swapped = [
      ...full.filter((line) => !line.startsWith("-A FORWARD")),
      ...full.filter((line) => line.startsWith("-A FORWARD")).toReversed(),
    ];
    expect(missing(swapped, plan, "CNI-ADMIN").join()).toMatch(/comes before/);
    expect(rulesOf(applied(swapped, installation(swapped, plan, "CNI-ADMIN")), "FORWARD")).toEqual(
      rulesOf(full, "FORWARD"),
    );
  });

  test("another address or bridge of the same attachment replaces what it had", () => {
    const before = applied(empty, installation(empty, wanted(one, ["10.1.0.2"], "isolated"), "CNI-ADMIN"));
    const table = applied(before, installation(before, wanted(one, ["10.1.0.9"]), "CNI-ADMIN"));
    expect(table.join("\n")).not.toContain("10.1.0.2/32");
    expect(table.join("\n")).not.toContain("cni0");
    expect(table.join("\n")).not.toContain("STAGE");
    const moved: Wanted = {
      ...wanted(one, ["10.1.0.2"]),
      ingress: { policy: "isolated", bridge: "cni1", port: "veth1" },
    };
    const text = applied(before, installation(before, moved, "CNI-ADMIN")).join("\n");
    expect(text).not.toContain("-i cni0 ");
    expect(text).toContain("-i cni1 -o cni1");
  });
});

describe("removal()", () => {
  const isOne = (key: string): boolean => key === one.key;

  test("takes the attachment's rules, its claims, and with the last bridge the stages; the shared chains stay", () => {
    const table = applied(empty, installation(empty, wanted(one, ["10.1.0.2"], "isolated"), "CNI-ADMIN"));
    const left = applied(table, removal(table, isOne, []));
    expect(left.filter((line) => line.startsWith("-A "))).toEqual([
      '-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD',
      '-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN',
    ]);
    expect(left.join("\n")).not.toContain("FERRULE");
    expect(removal(left, isOne, [])).toEqual([]);
  });

  test("the reference's DEL of a stale container takes the rules of the new one with its address; here they stay", () => {
    const stale = applied(empty, installation(empty, wanted(one, ["10.1.0.2"], "same-bridge"), "CNI-ADMIN"));
    const plan = wanted(two, ["10.1.0.2"], "same-bridge");
    const table = applied(stale, installation(stale, plan, "CNI-ADMIN"));
    const address = [...plan.addresses];
    const left = applied(table, removal(table, isOne, address));
    expect(missing(left, plan, "CNI-ADMIN")).toEqual([]);
    expect(left.join("\n")).not.toContain(one.key);
    expect(missing(applied(left, removal(left, isOne, address)), plan, "CNI-ADMIN"), "a second DEL").toEqual([]);
    expect(
      applied(
        left,
        removal(left, (key) => key === two.key, []),
      ).join("\n"),
    ).not.toContain("10.1.0.2");
  });

  test("rules that nobody claims, the reference's, go by prevResult's addresses", () => {
    const made = applied(empty, installation(empty, wanted(one, ["10.1.0.2"]), "CNI-ADMIN"));
    const table = made.filter((line) => !line.includes("FERRULE"));
    expect(removal(table, isOne, [])).toEqual([]);
    const left = applied(table, removal(table, isOne, wanted(one, ["10.1.0.2"]).addresses));
    expect(left.join("\n")).not.toContain("10.1.0.2");
  });

  test("a bridge's rules that the reference has made stay, as there", () => {
    const made = applied(empty, installation(empty, wanted(one, ["10.1.0.2"], "isolated"), "CNI-ADMIN"));
    const theirs = made.filter((line) => !line.includes("FERRULE"));
    const table = applied(theirs, installation(theirs, wanted(two, ["10.1.0.3"], "isolated"), "CNI-ADMIN"));
    const left = applied(
      table,
      removal(table, (key) => key === two.key, []),
    );
    expect(rulesOf(left, "CNI-ISOLATION-STAGE-1")).toEqual(rulesOf(made, "CNI-ISOLATION-STAGE-1"));
  });

  test("nothing is removed where nothing is", () => {
    expect(removal(empty, none, wanted(one, ["10.1.0.2"]).addresses)).toEqual([]);
  });
});
