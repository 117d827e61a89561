import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import { circles, importsFrom, modulesOf } from "../../../tools/architecture/src/modules.ts"

const modules = modulesOf(fileURLToPath(new URL("../src", import.meta.url)))

const isFace = (module: string): boolean => /^[A-Z]\w*\.ts$/u.test(module)
/** What all policies share is no policy: how failures are told apart, and where states are listed. */
const shared = new Set(["Fault.ts", "PolicyRegistry.ts"])

describe("the modules of core", () => {
  it("are all there is to look at", () => {
    assert.isAbove(modules.size, 70)
    assert.isTrue(modules.get("Retry.ts")?.includes("internal/retry.ts"))
    assert.includeMembers(Array.from(modules.values()).flat(), ["internal/events.ts", "Fault.ts", "kernel/labels.ts"])
  })

  it("import one another in no circle, types included", () => {
    assert.deepStrictEqual(circles(modules), [])
  })

  it("internal modules import no face of a policy", () => {
    assert.deepStrictEqual(importsFrom(modules, "internal/", (to) => isFace(to) && !shared.has(to)), [])
  })

  it("kernels import kernels, and the types of faults", () => {
    assert.deepStrictEqual(importsFrom(modules, "kernel/", (to) => !to.startsWith("kernel/") && to !== "Fault.ts"), [])
  })

  it("subpaths are imported by nobody", () => {
    for (const subpath of ["config/", "http/", "plot/", "schema/", "shared/", "simulation/", "testing/"]) {
      const edges = importsFrom(modules, "", (to) => to.startsWith(subpath))
      // reports and forecasts of the simulation are drawn by the plot
      const others = edges.filter((edge) =>
        !edge.startsWith(subpath) && !/^simulation\/(Report|internal\/report\w+|forecast\/\w+).ts > plot\//u.test(edge)
      )
      assert.deepStrictEqual(others, [])
    }
  })
})
