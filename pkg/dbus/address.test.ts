import { expect, test } from "vitest";
import { socketNames } from "./address.ts";

const usual = ["/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"];

test.each([
  ["", usual],
  ["unix:path=/run/bus", ["/run/bus"]],
  ["unix:path=/run/bus,guid=0123", ["/run/bus"]],
  ["unix:abstract=/tmp/dbus-x;unix:path=/run/bus", ["@/tmp/dbus-x", "/run/bus"]],
  ["tcp:host=localhost,port=12", usual],
  ["unix:path=/run/a%20b%2fc", ["/run/a b/c"]],
  ["unix:path=/run/100%", ["/run/100%"]],
  ["unix:path=/run/bäß", ["/run/bäß"]],
])("the address %j leads to %j", (address, names) => {
  expect(socketNames(address)).toEqual(names);
});
