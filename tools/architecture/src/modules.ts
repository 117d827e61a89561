import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

/** The modules of a package, with those that each imports or exports again; types count. */
export type Modules = ReadonlyMap<string, ReadonlyArray<string>>

export const modulesOf = (root: string): Modules =>
  new Map(
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
export const circles = (modules: Modules): ReadonlyArray<string> => {
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

/** The imports of all modules in a folder that a rule is about, as `from > to`. */
export const importsFrom = (
  modules: Modules,
  folder: string,
  about: (to: string) => boolean
): ReadonlyArray<string> =>
  Array.from(modules).flatMap(([module, imported]) =>
    module.startsWith(folder) ? imported.filter(about).map((to) => `${module} > ${to}`) : []
  )
