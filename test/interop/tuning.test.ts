/** tuning of both suites on one node: what the one's ADD changed, the other's DEL sets back, by the file they share. */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { attributesOf, filesIn, recordOf, sysctl, TUNING, tunedNetwork } from "../tuning/tuned-node.ts";

const everything = { mac: "02:00:00:00:22:01", mtu: 1400, promisc: true, allmulti: true, txQLen: 500 };

const reason = referenceMissing();
describe.skipIf(reason !== undefined)(
  `with the reference suite${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    describe.each(engines)("$name", (engine) => {
      describe.each([
        { what: "ADD by the reference, DEL by us", adds: reference, deletes: engine },
        { what: "ADD by us, DEL by the reference", adds: engine, deletes: reference },
      ])("$what", ({ adds, deletes }) => {
        test.each(["/run/cni/tuning", "/run/cni/elsewhere"])("everything is as before (%s)", async (dataDir) => {
          await using node = await TestNode.create();
          const config = { ...everything, dataDir };
          const adding = tunedNetwork(node, adds, config, { version: "1.0.0", bridge: engine });
          const deleting = tunedNetwork(node, deletes, config, { version: "1.0.0", bridge: engine });
          const container = await adding.container("container");
          await adding.add(container, TUNING);
          await node.exec(["mkdir", "-p", dataDir]);
          const before = await snapshot(node, { sandboxes: [container.sandbox] });
          container.result = (await adding.addOne(TUNING, container)).expectSuccess();
          expect(await attributesOf(container)).toEqual(everything);
          await deleting.check(container);
          (await deleting.delOne(TUNING, container)).expectSuccess();
          expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
        });

        test("with what it must not set back, too", async () => {
          await using node = await TestNode.create();
          const config = { mtu: 1400, sysctl: { "net.core.somaxconn": "500" } };
          const adding = tunedNetwork(node, adds, config, { version: "1.0.0", bridge: engine });
          const deleting = tunedNetwork(node, deletes, config, { version: "1.0.0", bridge: engine });
          const container = await adding.container("container");
          await adding.add(container);
          expect(await sysctl(container, "net/core/somaxconn")).toBe("500");
          (await deleting.delOne(TUNING, container)).expectSuccess();
          expect(await attributesOf(container)).toMatchObject({ mtu: 1500 });
          expect(await filesIn(node, "/run/cni/tuning")).toEqual([]);
        });
      });

      test("what both write down of the same change is the same", async () => {
        await using node = await TestNode.create();
        const written: unknown[] = [];
        for (const suite of [reference, engine]) {
          const network = tunedNetwork(node, suite, everything, { version: "1.0.0", bridge: engine });
          const container = await network.container(`c-${suite.name}`);
          await network.add(container, TUNING);
          await container.sandbox.exec(["ip", "link", "set", "eth0", "address", "02:00:00:00:22:77"]);
          (await network.addOne(TUNING, container)).expectSuccess();
          const { owner, sandbox, sysctls, ...shared } = await recordOf(node, container);
          written.push(shared);
        }
        expect(written[1]).toEqual(written[0]);
      });

      test("a repeated ADD by us keeps what the reference wrote down", async () => {
        await using node = await TestNode.create();
        const theirs = tunedNetwork(node, reference, { mtu: 1400 }, { version: "1.0.0", bridge: engine });
        const ours = tunedNetwork(node, engine, { mtu: 1300 }, { version: "1.0.0" });
        const container = await theirs.container("container");
        await theirs.add(container);
        (await ours.addOne(TUNING, container)).expectSuccess();
        expect(await recordOf(node, container)).toMatchObject({ mtu: 1500 });
        (await theirs.delOne(TUNING, container)).expectSuccess();
        expect(await attributesOf(container)).toMatchObject({ mtu: 1500 });
      });
    });
  },
);
