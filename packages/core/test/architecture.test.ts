import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../src", import.meta.url))

/** The modules of the package, with those that each imports or exports again; types count. */
const modules = new Map(
  readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => {
      const text = readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\//gu, "")
      const imported = Array.from(
        text.matchAll(/^(?:import|export|\}) .*?from "(\.[^"]+)"/gmu),
        ([, path]) => relative(root, join(root, dirname(file), path!))
      )
      return [file, imported] as const
    })
)

/** The circles of imports, each told once, from its first module on. */
const circles = (): ReadonlyArray<string> => {
  const found = new Set<string>()
  const done = new Set<string>()
  const visit = (module: string, path: ReadonlyArray<string>): void => {
    const at = path.indexOf(module)
    if (at >= 0) {
      const circle = path.slice(at)
      const first = circle.indexOf(circle.toSorted()[0]!)
      found.add([...circle.slice(first), ...circle.slice(0, first)].join(" > "))
    } else if (!done.has(module)) {
      for (const next of modules.get(module) ?? []) visit(next, [...path, module])
      done.add(module)
    }
  }
  for (const module of modules.keys()) visit(module, [])
  return Array.from(found)
}

const isFace = (module: string): boolean => /^[A-Z]\w*\.ts$/u.test(module)
/** What all policies share is no policy: how failures are told apart, and where states are listed. */
const shared = new Set(["Fault.ts", "PolicyRegistry.ts"])

const importsOf = (inside: string): ReadonlyArray<readonly [string, string]> =>
  Array.from(modules).flatMap(([module, imported]) =>
    module.startsWith(inside) ? imported.map((other) => [module, other] as const) : []
  )

const told = (edges: ReadonlyArray<readonly [string, string]>) => edges.map(([from, to]) => `${from} > ${to}`)

describe("the modules of core", () => {
  it("are all there is to look at", () => {
    assert.isAbove(modules.size, 70)
    assert.isTrue(modules.get("Retry.ts")?.includes("internal/retry.ts"))
    assert.includeMembers(Array.from(modules.values()).flat(), ["internal/events.ts", "Fault.ts", "kernel/labels.ts"])
  })

  it("import one another in no circle, types included", () => {
    assert.deepStrictEqual(circles(), [])
  })

  it("internal modules import no face of a policy", () => {
    const edges = importsOf("internal/").filter(([, to]) => isFace(to) && !shared.has(to))
    assert.deepStrictEqual(told(edges), [])
  })

  it("kernels import kernels, and the types of faults", () => {
    const edges = importsOf("kernel/").filter(([, to]) => !to.startsWith("kernel/") && to !== "Fault.ts")
    assert.deepStrictEqual(told(edges), [])
  })

  it("subpaths are imported by nobody", () => {
    for (const subpath of ["http/", "schema/", "testing/"]) {
      const edges = Array.from(modules).flatMap(([module, imported]) =>
        module.startsWith(subpath)
          ? []
          : imported.filter((to) => to.startsWith(subpath)).map((to) => [module, to] as const)
      )
      assert.deepStrictEqual(told(edges), [])
    }
  })
})
