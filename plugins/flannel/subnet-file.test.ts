import { expect, test } from "vitest";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { parseSubnetFile } from "./subnet-file.ts";

/** As flanneld writes it. */
const DUAL = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_IPV6_NETWORK=fd00:10:244::/56
FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;

interface Read {
  readonly networks: readonly string[];
  readonly subnets: readonly string[];
  readonly mtu: number;
  readonly masquerades: boolean;
}

function read(text: string): Read {
  const { networks, subnets, mtu, masquerades } = parseSubnetFile(text, "/f", ErrorCode.TryAgain);
  return {
    networks: networks.map((each) => each.toString()),
    subnets: subnets.map((each) => each.toString()),
    mtu,
    masquerades,
  };
}

function complaint(text: string): string {
  try {
    parseSubnetFile(text, "/f", ErrorCode.TryAgain);
    return "none";
  } catch (error) {
    expect(error).toBeInstanceOf(CniError);
    return (error as CniError).message;
  }
}

const dual = {
  networks: ["10.244.0.0/16", "fd00:10:244::/56"],
  subnets: ["10.244.1.0/24", "fd00:10:244:1::/64"],
  mtu: 1450,
  masquerades: true,
};

test("both families, subnets without host bits", () => {
  expect(read(DUAL)).toEqual(dual);
});

test("comments, blank lines, quotes, export, carriage returns and keys of others are no trouble", () => {
  const dressed = `# by hand\r\n\r\n${DUAL.replaceAll("FLANNEL_MTU=1450", ' export FLANNEL_MTU = "1450" ').replaceAll("\n", "\r\n")}FLANNEL_NEW\r\nOTHER\r\n#FLANNEL_MTU\r\n`;
  expect(read(dressed)).toEqual(dual);
});

test("several networks, each once", () => {
  const text = DUAL.replace("10.244.0.0/16", "10.244.0.0/16,10.245.0.0/16, 10.244.0.0/16");
  expect(read(text).networks).toEqual(["10.244.0.0/16", "10.245.0.0/16", "fd00:10:244::/56"]);
});

test.each(["true", "false", "1", "TRUE"])("FLANNEL_IPMASQ=%s", (word) => {
  expect(read(DUAL.replace("IPMASQ=true", `IPMASQ=${word}`)).masquerades).toBe(word === "true");
});

test("one family is enough", () => {
  expect(
    read("FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::/64\nFLANNEL_MTU=1400\nFLANNEL_IPMASQ=false"),
  ).toEqual({
    networks: ["fd00::/48"],
    subnets: ["fd00:0:0:1::/64"],
    mtu: 1400,
    masquerades: false,
  });
});

test.each([
  [
    "",
    "/f is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ",
  ],
  [DUAL.replace(/.*MTU.*/, ""), "/f is missing FLANNEL_MTU"],
  [DUAL.replace(/MTU=.*/, "MTU="), "/f is missing FLANNEL_MTU"],
  [DUAL.replace(/MTU=.*/, "MTU"), "/f, line 5: FLANNEL_MTU has no value: expected FLANNEL_MTU=VALUE"],
  [DUAL.replace(/MTU=.*/, "MTU=big"), '/f, line 5: FLANNEL_MTU: expected bytes, found "big"'],
  [DUAL.replace(/MTU=.*/, "MTU=-1"), '/f, line 5: FLANNEL_MTU: expected bytes, found "-1"'],
  [DUAL.replace(/MTU=.*/, "MTU=70000"), '/f, line 5: FLANNEL_MTU: expected bytes, found "70000"'],
  ["FLANNEL_NETWORK", "/f, line 1: FLANNEL_NETWORK has no value: expected FLANNEL_NETWORK=VALUE"],
  [
    "FLANNEL_SUBNET=10.244.1.1",
    '/f, line 1: FLANNEL_SUBNET: expected an IPv4 prefix such as 10.244.0.0/16, found "10.244.1.1"',
  ],
  [
    "FLANNEL_IPV6_NETWORK=10.0.0.0/8",
    '/f, line 1: FLANNEL_IPV6_NETWORK: expected an IPv6 prefix such as fd00:10:244::/56, found "10.0.0.0/8"',
  ],
  [
    "FLANNEL_SUBNET=10.0.0.0/24,10.1.0.0/24",
    '/f, line 1: FLANNEL_SUBNET: expected one prefix, found "10.0.0.0/24,10.1.0.0/24"',
  ],
])("%j is refused", (text, reason) => {
  expect(complaint(text)).toBe(`failed to load flannel 'subnet.env' file: ${reason}`);
});
