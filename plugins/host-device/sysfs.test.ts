import { expect, test } from "vitest";
import { isProgramDriver, pciAddressOf } from "./sysfs.ts";

test.each([
  ["/sys/devices/pci0000:64/0000:64:02.0/0000:65:00.1", "0000:65:00.1"],
  ["/sys/devices/pci0000:00/0000:00:03.0/virtio2", "0000:00:03.0"],
  ["/sys/devices/pci10000:00/10000:00:03.0", "10000:00:03.0"],
  ["/sys/devices/pci0000:64/0000:65:00.0/mlx5_core.sf.2", ""],
  ["/sys/devices/vio/30000002", ""],
  ["", ""],
])("the PCI address of %s is %s", (hardware, address) => {
  expect(pciAddressOf(hardware)).toBe(address);
});

test("a program's drivers are those that give the kernel no interface", () => {
  expect(["vfio-pci", "uio_pci_generic", "igb_uio"].every(isProgramDriver)).toBe(true);
  expect(["e1000e", "mlx5_core", ""].some(isProgramDriver)).toBe(false);
});
