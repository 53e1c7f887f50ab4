/** host-device: which device a configuration means, what cannot be given away, and what STATUS says of it. */
import { describe, expect, test } from "vitest";
import { engines, type Suite } from "../helpers/engines.ts";
import { fixed, four } from "../helpers/interface-network.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { deviceNetwork, fakeHardware, makeDevice, PCI, stateOf } from "./device.ts";

async function nodeWithDevice(): Promise<TestNode> {
  const node = await TestNode.create();
  await makeDevice(node);
  return node;
}

/** A network that names the device in no other way than `config` does. */
function chosenBy(node: TestNode, suite: Suite, config: object, runtimeConfig?: object): TestNetwork {
  const plugin = { suite, config: { type: "host-device", ...config } };
  return new TestNetwork(node, "1.1.0", [
    runtimeConfig === undefined ? plugin : { ...plugin, runtimeConfig: () => runtimeConfig },
  ]);
}

describe.each(engines)("$name", (engine) => {
  const ways = [
    { what: "hwaddr", layout: "pci", config: { hwaddr: "02-00-00-00-23-00" } },
    { what: "an alternative name", layout: "pci", config: { device: "enp101s0" } },
    { what: "kernelpath", layout: "pci", config: { kernelpath: `/sys/devices/pci0000:64/${PCI}` } },
    { what: "pciBusID", layout: "pci", config: { pciBusID: PCI } },
    { what: "pciBusID of a virtio device", layout: "virtio", config: { pciBusID: PCI } },
    { what: "deviceID", layout: "pci", config: {}, runtimeConfig: { deviceID: PCI } },
    {
      what: "deviceID before pciBusID",
      layout: "pci",
      config: { pciBusID: "0000:99:00.0" },
      runtimeConfig: { deviceID: PCI },
    },
    {
      what: "deviceID of an auxiliary device",
      layout: "auxiliary",
      config: {},
      runtimeConfig: { deviceID: "core.sf.2" },
    },
    { what: "device before deviceID", layout: "pci", config: { device: "nic0" }, runtimeConfig: { deviceID: PCI } },
  ] as const;
  test.each(ways)("the device by $what, and back again; the result tells the PCI address", async (way) => {
    await using node = await nodeWithDevice();
    await fakeHardware(node, "e1000e", way.layout);
    const before = await stateOf(node);
    const runtimeConfig = "runtimeConfig" in way ? way.runtimeConfig : undefined;
    const network = chosenBy(node, engine, { ...way.config, restoreAddresses: true }, runtimeConfig);
    const container = await network.container("container");
    const result = await network.add(container);
    const expected = { name: "eth0", mac: "02:00:00:00:23:00", mtu: 1400, sandbox: container.sandbox.path };
    expect(result.interfaces).toEqual([way.layout === "auxiliary" ? expected : { ...expected, pciID: PCI }]);
    await network.check(container);
    const other = await network.container("other");
    (await network.addOne(0, other)).expectError(101, /container container \(eth0, network testnet\) has it/);
    await network.del(container);
    expect(await stateOf(node)).toEqual(before);
  });

  test.each(["vfio-pci", "uio_pci_generic", "igb_uio"])(
    "a device of %s is left to its program, with its addresses",
    async (driver) => {
      await using node = await nodeWithDevice();
      await fakeHardware(node, driver, "pci");
      const before = await stateOf(node);
      const network = chosenBy(node, engine, { pciBusID: PCI, ipam: fixed({ address: "10.22.0.5/24" }) });
      const container = await network.container("container");
      const result = await network.add(container);
      expect(result.interfaces).toEqual([{ name: "eth0", sandbox: container.sandbox.path, pciID: PCI }]);
      expect(result.ips).toEqual([{ address: "10.22.0.5/24", interface: 0 }]);
      await network.check(container);
      expect(await container.sandbox.hasLink("eth0")).toBe(false);
      (await network.call(0, "STATUS")).expectSuccess();
      await network.del(container);
      expect(await stateOf(node)).toEqual(before);
    },
  );

  test("DPDKMode leaves a device to its program whatever its driver", async () => {
    await using node = await nodeWithDevice();
    const network = deviceNetwork(node, engine, { DPDKMode: true });
    const container = await network.container("container");
    const result = await network.add(container);
    expect(result.interfaces).toEqual([{ name: "eth0", sandbox: container.sandbox.path }]);
    expect(await node.hasLink("nic0")).toBe(true);
    await network.del(container);
  });

  const programs = [
    { what: "device beside deviceID", config: { device: "nic0" }, runtimeConfig: { deviceID: PCI } },
    { what: "kernelpath", config: { kernelpath: `/sys/devices/pci0000:64/${PCI}/` } },
    { what: "hwaddr", config: { hwaddr: "02:00:00:00:23:00" } },
  ];
  test.each(programs)(
    "a program's device by $what: the result tells the PCI address",
    async ({ config, runtimeConfig }) => {
      await using node = await nodeWithDevice();
      await fakeHardware(node, "mlx5_core", "pci");
      const network = chosenBy(node, engine, { ...config, DPDKMode: true }, runtimeConfig);
      const container = await network.container("container");
      const { interfaces } = await network.add(container);
      expect(interfaces).toEqual([{ name: "eth0", sandbox: container.sandbox.path, pciID: PCI }]);
      await network.del(container);
    },
  );

  const refusals = [
    { what: "no device named", config: { device: "" }, code: 7, text: /specify either "device", "hwaddr"/ },
    {
      what: "a missing device",
      config: { device: "nic9" },
      code: 7,
      text: /no device "nic9" on the host\n.*nic0 \(02:00:00:00:23:00\)/,
    },
    { what: "lo", config: { device: "lo" }, code: 7, text: /loopback/ },
    {
      what: "a bridge, which cannot be moved",
      config: { device: "br7" },
      code: 7,
      text: /Cannot move br7.*\n.*no bridge leave/,
    },
    {
      what: "an address that nobody has",
      config: { device: "", hwaddr: "02:00:00:00:77:77" },
      code: 7,
      text: /02:00:00:00:77:77/,
    },
    { what: "rubbish for an address", config: { device: "", hwaddr: "zz" }, code: 7, text: /hwaddr/ },
    {
      what: "a path outside",
      config: { device: "", kernelpath: "/sys/devices/../../etc" },
      code: 7,
      text: /kernelpath/,
    },
    {
      what: "a PCI address that is a path",
      config: { device: "", pciBusID: "../../../etc" },
      code: 7,
      text: /pciBusID/,
    },
    {
      what: "a PCI device that is not there",
      config: { device: "", pciBusID: "0000:99:00.0" },
      code: 7,
      text: /0000:99:00\.0/,
    },
    {
      what: "a device of the runtime's that is not there",
      config: { device: "", runtimeConfig: { deviceID: "0000:99:00.0" } },
      code: 7,
      text: /DeviceID 0000:99:00\.0 not found or unsupported/,
    },
  ];
  test.each(refusals)("refused, and nothing has changed: $what", async ({ config, code, text }) => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    const bridge = await stateOf(node, "br7");
    const network = deviceNetwork(node, engine, config);
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(code, text);
    expect(await stateOf(node)).toEqual(before);
    expect((await stateOf(node, "br7")).link).toEqual(bridge.link);
    await network.del(container);
  });

  test("a PCI device without driver is refused by ADD and no matter for DEL", async () => {
    await using node = await nodeWithDevice();
    await fakeHardware(node, undefined, "pci");
    const network = chosenBy(node, engine, { pciBusID: PCI });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(7, /has no driver/);
    await network.del(container);
  });

  test("a name that the container has is refused before anything moves", async () => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    const network = deviceNetwork(node, engine, { ipam: four });
    const container = await network.container("container");
    await container.sandbox.exec(["ip", "link", "add", "eth0", "type", "bridge"]);
    (await network.addOne(0, container)).expectError(101, /"eth0"\) already exists/);
    expect(await stateOf(node)).toEqual(before);
    await network.del(container);
    expect(await container.sandbox.hasLink("eth0")).toBe(true);
  });

  test("the device of the host's default route is given, with a warning", async () => {
    await using node = await nodeWithDevice();
    await node.exec(["ip", "route", "add", "default", "via", "192.0.2.1", "dev", "nic0"]);
    const before = await stateOf(node);
    const network = deviceNetwork(node, engine, { restoreAddresses: true });
    const container = await network.container("container");
    const call = await network.addOne(0, container);
    call.expectSuccess();
    expect(call.stderr).toMatch(/default route leads through nic0/);
    await network.del(container);
    expect(await stateOf(node)).toEqual(before);
  });

  test("STATUS: ready, in use, lost, missing", async () => {
    await using node = await nodeWithDevice();
    const network = deviceNetwork(node, engine);
    const container = await network.container("container");
    (await network.call(0, "STATUS")).expectSuccess();
    await network.add(container);
    (await network.call(0, "STATUS")).expectError(50, /in use: container container/);
    await container.sandbox.exec(["ip", "link", "delete", "eth0"]);
    (await network.call(0, "STATUS")).expectError(51, /has lost it/);
    await network.del(container);
    (await network.call(0, "STATUS")).expectError(50, /no device "nic0" on the host/);
  });

  test("the IPAM plugin's DNS is in the result, and the configuration's own replaces it", async () => {
    await using node = await nodeWithDevice();
    const ipam = { type: "static", addresses: [{ address: "10.22.0.5/24" }], dns: { nameservers: ["192.0.2.53"] } };
    for (const { dns, expected } of [
      { dns: undefined, expected: { nameservers: ["192.0.2.53"] } },
      { dns: { domain: "example.net" }, expected: { domain: "example.net" } },
    ]) {
      const network = deviceNetwork(node, engine, { ipam, ...(dns === undefined ? {} : { dns }) });
      const container = await network.container("container");
      expect((await network.add(container)).dns).toEqual(expected);
      await network.del(container);
    }
  });
});
