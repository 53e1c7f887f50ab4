import { expect, test } from "vitest";
import { baseChain, regularChain } from "./chain.ts";
import { ipv4Type, portDatum, portType, protocolDatum, protocolType, verdictType } from "./datum.ts";
import { element, mapping, verdictMapping } from "./element.ts";
import { equals } from "./match.ts";
import { masquerade } from "./nat.ts";
import { rule } from "./rule.ts";
import { tcpDestinationPort } from "./selector.ts";
import { mapOf, setOf } from "./set.ts";
import { accept } from "./statement.ts";
import type { Table } from "./table.ts";
import { Transaction } from "./transaction.ts";

const table: Table = { family: "inet", name: "t" };

test("a transaction reads as the nft commands it stands for", () => {
  const change = new Transaction();
  expect(change.isEmpty).toBe(true);
  const key = [protocolDatum(6), portDatum(80)];
  change
    .addTable(table)
    .addChain(table, regularChain("inner"))
    .addChain(table, baseChain("out", { type: "nat", hook: "postrouting", priority: 105, policy: "accept" }))
    .addSet(table, mapOf("deciders", [protocolType, portType], [verdictType]))
    .addSet(table, setOf("hosts", [ipv4Type]))
    .addRule(table, "out", rule([equals(tcpDestinationPort, portDatum(25)), masquerade()], "mail"))
    .addRule(table, "inner", rule([accept()]))
    .createElements(table, "deciders", [verdictMapping(key, { kind: "goto", chain: "inner" }, { comment: "web" })])
    .addElements(table, "ports", [mapping(key, [portDatum(8080)]), mapping(key, [portDatum(8081)])])
    .deleteElements(table, "hosts", [element([{ text: "10.1.0.1", bytes: new Uint8Array([10, 1, 0, 1]) }])])
    .deleteRule(table, "out", 7)
    .flush(table, "out")
    .flush(table)
    .deleteChain(table, "inner")
    .deleteSet(table, "hosts")
    .deleteTable(table);
  expect(change.isEmpty).toBe(false);
  expect(change.text.trim().split("\n")).toEqual([
    "add table inet t",
    "add chain inet t inner",
    "add chain inet t out",
    "add set inet t deciders",
    "add set inet t hosts",
    'add rule inet t out tcp dport 25 masquerade comment "mail"',
    "add rule inet t inner accept",
    'create element inet t deciders { tcp . 80 comment "web" : goto inner }',
    "add element inet t ports { tcp . 80 : 8080, tcp . 80 : 8081 }",
    "delete element inet t hosts { 10.1.0.1 }",
    "delete rule inet t out handle 7",
    "flush chain inet t out",
    "flush table inet t",
    "delete chain inet t inner",
    "delete set inet t hosts",
    "delete table inet t",
  ]);
});
