/** Who may import whom: the layers of docs/architecture.md, walked file by file. */
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { findCycle, type Import, importsOf, root, sourceFiles } from "./helpers/imports.ts";

/** From the top down; an import may go to any lower layer. */
const layers: readonly (readonly string[])[] = [
  ["cmd"],
  ["plugins", "ipam"],
  [
    "pkg/skel",
    "pkg/invoke",
    "pkg/ipam-client",
    "pkg/link",
    "pkg/masquerade",
    "pkg/iptables",
    "pkg/address-probe",
    "pkg/host-shim",
    "libcni",
  ],
  ["pkg/nftables", "pkg/netlink", "pkg/netns", "pkg/sysctl", "pkg/dbus", "pkg/linux"],
  ["spec", "pkg/codec", "pkg/ip"],
];
const KERNEL = 3;
const PURE = 4;

/** Imports within a layer: of folders, or of single files. */
const sideways: Record<string, readonly string[]> = {
  "pkg/skel": ["pkg/invoke"],
  "pkg/ipam-client": ["pkg/invoke", "pkg/link", "pkg/address-probe"],
  "pkg/masquerade": ["pkg/iptables"],
  "pkg/host-shim": ["pkg/link"],
  libcni: ["pkg/invoke", "pkg/skel/cni-error.ts"],
  "pkg/nftables": ["pkg/netlink", "pkg/linux"],
  "pkg/netlink": ["pkg/netns", "pkg/linux"],
  "pkg/netns": ["pkg/linux"],
  "pkg/sysctl": ["pkg/netns", "pkg/linux"],
  "pkg/dbus": ["pkg/linux"],
  spec: ["pkg/ip"],
  "pkg/codec": ["pkg/ip"],
  "pkg/ip": ["pkg/codec/view.ts"],
};

/** What a call carries: the parts of pkg/skel that its neighbours take as parameters. */
const carried = ["attachment", "undo", "sandbox", "valid-attachments"].map((name) => `pkg/skel/${name}.ts`);
const takers = ["pkg/ipam-client", "pkg/link", "pkg/masquerade", "pkg/iptables", "pkg/host-shim"];

/** Who may call the system; everybody else calls these. */
const systemCallers = ["pkg/linux", "pkg/netns", "pkg/netlink"];

/** Files that say `#system` for a reason of their own: the entry prints, and leaves last words for an abort. */
const systemFiles = ["cmd/cni/main.ts"];

const folders = ["cmd", "plugins", "ipam", "pkg", "spec", "libcni"];
const files = sourceFiles(folders).filter((file) => !file.startsWith("pkg/testing/"));
const imports = files.flatMap((file) => importsOf(file));

/** `pkg/netlink` of `pkg/netlink/link.ts`; `plugins/bridge` of `plugins/bridge/vlan.ts`; `spec` of all below it. */
function areaOf(file: string): string {
  const [top = "", second = ""] = file.split("/");
  return ["pkg", "plugins", "ipam"].includes(top) ? `${top}/${second}` : top;
}

function layerOf(file: string): number {
  const area = areaOf(file);
  return layers.findIndex((layer) => layer.includes(area) || layer.includes(area.split("/")[0] ?? ""));
}

/** Why an import must not be, or `undefined`. */
function objection({ from, to, specifier }: Import): string | undefined {
  if (specifier === "#system") return systemObjection(from);
  if (to !== "") return layerObjection(from, to);
  if (layerOf(from) === PURE) return "the pure layer compiles without any platform, and is tested without one";
  if (specifier === "node:fs") return undefined;
  if (specifier.startsWith("bun:") && areaOf(from) === "pkg/linux") return undefined;
  if (specifier.startsWith("node:")) return "the native engine has node:fs alone, and every module costs start-up time";
  return "no package is on the plugins' path: it must compile natively and start in a millisecond";
}

function systemObjection(from: string): string | undefined {
  if (systemCallers.includes(areaOf(from)) || systemFiles.includes(from)) return undefined;
  return `only ${systemCallers.join(", ")} call the system: what is missing there gets a name and an error in pkg/linux`;
}

function layerObjection(from: string, to: string): string | undefined {
  if (!to.endsWith(".ts") || !existsSync(root + to)) return "imports name the file they mean, with its .ts";
  const own = layerOf(from);
  const other = layerOf(to);
  if (own < 0) return `${areaOf(from)} has no layer: give it one in test/architecture.test.ts and docs/architecture.md`;
  if (other < 0) return "the product does not import tests, scripts or examples";
  if (areaOf(from) === areaOf(to)) return undefined;
  if (own === KERNEL && areaOf(to) === "spec")
    return "the kernel packages know no word of CNI: pass what they need as plain values";
  if (other > own) return undefined;
  if (other < own) return "imports go downwards only: what the lower layer needs is passed to it, or moves down";
  if (sideways[areaOf(from)]?.some((allowed) => allowed === areaOf(to) || allowed === to)) return undefined;
  if (takers.includes(areaOf(from)) && carried.includes(to)) return undefined;
  if (own === 1) return "plugins never import each other: what two of them need belongs in pkg/";
  return `${areaOf(from)} and ${areaOf(to)} are of one layer and know nothing of each other`;
}

test("imports are found at all", () => {
  expect(files.length).toBeGreaterThan(50);
  expect(imports.length).toBeGreaterThan(files.length);
});

test("imports go downwards, sideways only where it is agreed, and never to a package", () => {
  const objections = imports.flatMap((each) => {
    const reason = objection(each);
    return reason === undefined ? [] : [`${each.from} imports ${each.to === "" ? each.specifier : each.to}: ${reason}`];
  });
  expect(objections).toEqual([]);
});

test("no file needs itself to be loaded first", () => {
  expect(findCycle(imports), "a loop of imports: move what both need to a file of its own").toEqual([]);
});

test.each<[Partial<Import>, string]>([
  [{ from: "plugins/bridge/bridge.ts", to: "plugins/loopback/loopback.ts" }, "plugins never import each other"],
  [{ from: "pkg/netlink/link.ts", to: "spec/errors.ts" }, "no word of CNI"],
  [{ from: "pkg/netns/network-namespace.ts", to: "pkg/netlink/link.ts" }, "know nothing of each other"],
  [{ from: "spec/keys.ts", to: "pkg/skel/plugin.ts" }, "downwards only"],
  [{ from: "pkg/link/veth.ts", to: "pkg/skel/dispatch.ts" }, "know nothing of each other"],
  [{ from: "pkg/skel/plugin.ts", to: "plugins/loopback/loopback.ts" }, "downwards only"],
  [{ from: "plugins/bridge/bridge.ts", to: "pkg/link/veth" }, "with its .ts"],
  [{ from: "plugins/bridge/bridge.ts", to: "test/helpers/imports.ts" }, "does not import tests"],
  [{ from: "spec/keys.ts", specifier: "node:fs" }, "without any platform"],
  [{ from: "pkg/skel/plugin.ts", specifier: "node:path" }, "node:fs alone"],
  [{ from: "pkg/skel/plugin.ts", specifier: "ajv" }, "no package"],
  [{ from: "plugins/bridge/bridge.ts", specifier: "#system" }, "call the system"],
])("%j would be objected to: %s", (given, reason) => {
  expect(objection({ from: "", to: "", specifier: "./x.ts", typeOnly: false, ...given })).toContain(reason);
});
