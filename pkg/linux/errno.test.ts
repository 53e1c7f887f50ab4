import { constants } from "node:os";
import { expect, test } from "vitest";
import { errnoName, KernelError } from "./errno.ts";

test("every number has the name that the C library gives it", () => {
  const aliases = new Set(["EWOULDBLOCK", "ENOTSUP"]); // second names of EAGAIN and EOPNOTSUPP
  for (const [name, number] of Object.entries(constants.errno)) {
    if (!aliases.has(name) && !errnoName(number).startsWith("errno ")) expect(errnoName(number)).toBe(name);
  }
});

test("the errors that Node knows are all in the table, but for those of STREAMS and multihop", () => {
  const missing = Object.entries(constants.errno).filter(([, number]) => errnoName(number).startsWith("errno "));
  expect(missing.map(([name]) => name).sort()).toEqual(["EIDRM", "EMULTIHOP", "ENOSR", "ENOSTR"]);
});

test("a kernel error says the operation, the reason, the name and the kernel's own words", () => {
  const error = new KernelError("attach veth1 to cni0", 16, "Device is already enslaved");
  expect(error.message).toBe("attach veth1 to cni0: device or resource busy (EBUSY): Device is already enslaved");
  expect([error.operation, error.errno, error.number]).toEqual(["attach veth1 to cni0", "EBUSY", 16]);
  expect(new KernelError("open", 2).message).toBe("open: no such file or directory (ENOENT)");
});

test("a number that is not in the table keeps its number", () => {
  expect(new KernelError("call", 4000).message).toBe("call: errno 4000");
  expect(new KernelError("call", 4000).errno).toBe("errno 4000");
});
