/** Routes of any kind over net1, and some over eth0, for a sandbox of routed-sandbox.ts. */
import fc from "fast-check";

/** Commands of `ip`, and whether IPAM tells gateways. */
export interface Routes {
  readonly commands: readonly string[];
  readonly gateways: boolean;
}

const number = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

const destination4 = fc.oneof(
  fc.constant("0.0.0.0/0"),
  fc.tuple(number(200), fc.constantFrom(16, 20, 24, 32)).map(([n, length]) => {
    const host =
      length === 32
        ? `172.16.${n}.9`
        : length === 24
          ? `172.16.${n}.0`
          : length === 20
            ? `172.${n}.16.0`
            : `172.${n}.0.0`;
    return `${host}/${length}`;
  }),
);
const destination6 = fc.oneof(
  fc.constant("::/0"),
  number(200).map((n) => `2001:db8:1${n.toString(16)}::/64`),
);

const attributes4 = fc
  .record(
    {
      metric: number(5000),
      mtu: fc.integer({ min: 600, max: 9000 }),
      advmss: fc.integer({ min: 500, max: 9000 }),
      proto: fc.constantFrom("static", "bird", "99"),
      src: fc.constantFrom("10.1.0.5", "10.1.0.6"),
      tos: fc.constantFrom("0x04", "0x08", "0x10"),
      initcwnd: number(50),
      hoplimit: number(200),
      realm: number(200),
      congctl: fc.constant("reno"),
    },
    { requiredKeys: [] },
  )
  .map((record) =>
    Object.entries(record)
      .map(([key, value]) => ` ${key} ${value}`)
      .join(""),
  );
const attributes6 = fc
  .record(
    {
      // Never that of eth0's default route, of which IPv6 would make one route with two ways.
      metric: number(1000),
      mtu: fc.integer({ min: 1300, max: 9000 }),
      proto: fc.constantFrom("static", "bird", "99"),
      src: fc.constantFrom("2001:db8:1::5", "2001:db8:1::6"),
      hoplimit: number(200),
      pref: fc.constantFrom("low", "high"),
    },
    { requiredKeys: ["metric"] },
  )
  .map((record) =>
    Object.entries(record)
      .map(([key, value]) => ` ${key} ${value}`)
      .join(""),
  );

const way4 = fc.oneof(
  number(250).map((n) => `via 10.1.0.${n} dev net1`),
  number(250).map((n) => `via 192.0.2.${n} dev net1 onlink`),
);
const way6 = fc.oneof(
  number(250).map((n) => `via 2001:db8:1::1${n} dev net1`),
  number(250).map((n) => `via fe80::${n} dev net1`),
);
const ecmp = (way: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(way, number(9)), { minLength: 2, maxLength: 4 })
    .map((ways) =>
      ways
        .map(
          ([each, weight]) =>
            ` nexthop ${each.replace(" onlink", "")} weight ${weight}${each.includes("onlink") ? " onlink" : ""}`,
        )
        .join(""),
    );

function routes(
  destination: fc.Arbitrary<string>,
  way: fc.Arbitrary<string>,
  attributes: fc.Arbitrary<string>,
): fc.Arbitrary<string> {
  const add = "route add";
  return fc.oneof(
    fc.tuple(destination, way, attributes).map(([to, by, more]) => `${add} ${to} ${by}${more}`),
    fc.tuple(destination, attributes).map(([to, more]) => `${add} ${to} dev net1${more}`),
    fc.tuple(destination, attributes, ecmp(way)).map(([to, more, ways]) => `${add} ${to}${more}${ways}`),
    // Others' routes, of the same destinations: they stay.
    fc.tuple(destination, number(5000)).map(([to, metric]) => `${add} ${to} dev eth0 metric ${metric + 5000}`),
  );
}

/** The addresses of net1 that sbr is told of, and what it is asked for. */
export interface Addresses {
  readonly four: boolean;
  readonly six: boolean;
  /** An IPv4 address of another subnet with another gateway, which needs a table of its own. */
  readonly second: boolean;
  /** The same of IPv6. */
  readonly secondSix: boolean;
  /** One more address of the first subnet of each family. */
  readonly sibling: boolean;
  readonly addSourceHints: boolean;
}

export const anyAddresses: fc.Arbitrary<Addresses> = fc
  .record({
    four: fc.boolean(),
    six: fc.boolean(),
    second: fc.boolean(),
    secondSix: fc.boolean(),
    sibling: fc.boolean(),
    addSourceHints: fc.boolean(),
  })
  .filter(({ four, six, second, secondSix }) => four || six || second || secondSix);

export const anyRoutes: fc.Arbitrary<Routes> = fc.record({
  commands: fc
    .array(fc.oneof(routes(destination4, way4, attributes4), routes(destination6, way6, attributes6)), {
      maxLength: 12,
    })
    .map((commands) => [
      "address add 10.1.0.6/24 dev net1",
      "address add 2001:db8:1::6/64 dev net1 nodad",
      ...commands,
    ]),
  gateways: fc.boolean(),
});
