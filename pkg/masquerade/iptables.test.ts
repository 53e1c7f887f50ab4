import { expect, test } from "vitest";
import { Prefix } from "../ip/prefix.ts";
import { Attachment } from "../skel/attachment.ts";
import { masqueradeChain, masqueradeLines, removalLines, staleLines } from "./iptables.ts";

function prefix(text: string): Prefix {
  const parsed = Prefix.parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

const attachment = new Attachment("bv", "b1", "eth0");
const chain = masqueradeChain("bv", "b1");

test("chain and rules are the reference's", () => {
  expect(chain).toMatch(/^CNI-[0-9a-f]{24}$/);
  expect(masqueradeLines(attachment, prefix("10.97.0.2/24"))).toEqual([
    `-A ${chain} -d 10.97.0.0/24 -m comment --comment "name: \\"bv\\" id: \\"b1\\"" -j ACCEPT`,
    `-A ${chain} ! -d 224.0.0.0/4 -m comment --comment "name: \\"bv\\" id: \\"b1\\"" -j MASQUERADE`,
    `-A POSTROUTING -s 10.97.0.2/32 -m comment --comment "name: \\"bv\\" id: \\"b1\\"" -j ${chain}`,
  ]);
  expect(masqueradeLines(attachment, prefix("fd00::2/64")).join("\n")).toMatch(
    /! -d ff00::\/8 [^\n]*\n.* -s fd00::2\/128 /,
  );
});

test("DEL of one interface leaves another's of the same container, and the last takes the chain along", () => {
  const one = masqueradeLines(attachment, prefix("10.97.0.2/24"));
  const two = masqueradeLines(attachment, prefix("10.98.0.2/24"));
  const saved = [`:${chain} - [0:0]`, ...one, ...two];
  const jumps = [one.at(2), two.at(2)].map((line) => `-D${line?.slice(2)}`);
  expect(removalLines(saved, chain, [prefix("10.98.0.2/24")])).toEqual([jumps.at(1)]);
  expect(removalLines(saved, chain, []), "only addresses of the other family").toEqual([]);
  expect(removalLines([`:${chain} - [0:0]`, ...one], chain, [prefix("10.97.0.2/24")])).toEqual([
    jumps.at(0),
    `-F ${chain}`,
    `-X ${chain}`,
  ]);
  expect(removalLines(saved, chain, undefined)).toEqual([...jumps, `-F ${chain}`, `-X ${chain}`]);
});

test("GC deletes the chains of containers that are not alive, and of this network alone", () => {
  const of = (network: string, container: string): string[] => {
    const lines = masqueradeLines(new Attachment(network, container, "eth0"), prefix("10.97.0.2/24"));
    return [`:${masqueradeChain(network, container)} - [0:0]`, ...lines];
  };
  const saved = [...of("bv", "b1"), ...of("bv", "b2"), ...of("other", "b3")];
  expect(staleLines(saved, "bv", ["b2"])).toEqual([
    `-D POSTROUTING -s 10.97.0.2/32 -m comment --comment "name: \\"bv\\" id: \\"b1\\"" -j ${chain}`,
    `-F ${chain}`,
    `-X ${chain}`,
  ]);
});
