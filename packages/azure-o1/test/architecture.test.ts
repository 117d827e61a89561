import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import { circles, importsFrom, modulesOf } from "../../../tools/architecture/src/modules.ts"

const modules = modulesOf(fileURLToPath(new URL("../src", import.meta.url)))

/** What the wire is told in, which knows of no client. */
const words = new Set(["O1Completion.ts", "O1Error.ts", "O1Event.ts", "O1Request.ts"])

describe("the modules of azure-o1", () => {
  it("are all there is to look at", () => {
    assert.isAbove(modules.size, 90)
    assert.includeMembers(Array.from(modules.values()).flat(), [
      "client/client.ts",
      "transport/events.ts",
      "O1Error.ts"
    ])
  })

  it("import one another in no circle, types included", () => {
    assert.deepStrictEqual(circles(modules), [])
  })

  it("of the wire import nothing above it", () => {
    assert.deepStrictEqual(importsFrom(modules, "wire/", (to) => !to.startsWith("wire/") && !words.has(to)), [])
  })

  it("of the transport import no client and no policy", () => {
    assert.deepStrictEqual(
      importsFrom(modules, "transport/", (to) => /^(client\/|AzureO1\.ts|O1Policy\.ts)/u.test(to)),
      []
    )
  })

  it("of subpaths are imported by nobody", () => {
    for (const subpath of ["testing/", "ai/", "schema/", "pool/", "metrics/", "history/", "quota/"]) {
      const edges = importsFrom(modules, "", (to) => to.startsWith(subpath))
      assert.deepStrictEqual(edges.filter((edge) => !edge.startsWith(subpath)), [])
    }
  })
})
