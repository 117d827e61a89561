import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** The files of the workspace, so that a test can put others in their place. */
export interface Files {
  readonly read: (path: string) => string
  readonly list: (folder: string) => ReadonlyArray<string>
}

export const filesOf = (root: string): Files => ({
  read: (path) => existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : "",
  list: (folder) => readdirSync(join(root, folder))
})

const readme = "README.md"
const catalogue = "docs/README.md"
const algebra = "docs/algebra.md"
const laws = "packages/core/test/Policy.laws.test.ts"
const options = "packages/core/test/options.test.ts"
const vocabulary = "packages/core/typetest/vocabulary.tst.ts"

/** The sections that the page of a policy has, whatever else it has. */
const sections = [
  "Options and defaults",
  "Effects and streams",
  "Telemetry",
  "Anti-patterns",
  "What it adds to what Effect ships"
]

/** Where a module differs from a policy that has a page of its own: another page, and places that need not name it. */
interface Exception {
  readonly page?: string
  readonly not?: ReadonlyArray<string>
}

const exceptions: { readonly [module: string]: Exception } = {
  // schedules: the policies that take them are named
  Backoff: { not: [algebra] },
  RetryBudget: { not: [algebra] },
  // operators
  Coalesce: { not: [laws] },
  Fallback: { not: [laws] },
  // the other ready-made stack
  HedgingPipeline: { page: "docs/policies/pipelines.md", not: [laws] },
  // they watch, list or measure
  Histogram: { page: "docs/policies/timeout.md", not: [readme, algebra, laws, options] },
  Observability: { not: [laws, "Telemetry"] },
  PolicyRegistry: { page: "docs/policies/registry.md", not: [algebra, laws] },
  Telemetry: { page: "docs/policies/observability.md", not: [readme, algebra, laws, "Telemetry"] },
  // what policies are made of
  Fault: { page: "docs/decisions/fault.md", not: [readme, algebra, laws] },
  Policy: { page: algebra, not: [readme] }
}

/** Pages of `docs/policies` about a subpath that has several modules. */
const subpaths: { readonly [page: string]: string } = {
  "http.md": "./http",
  "schema.md": "./schema",
  "shared.md": "./shared"
}

const kebab = (module: string): string => module.replaceAll(/(?<=[a-z])[A-Z]/gu, (letter) => `-${letter}`).toLowerCase()

/** The complaints whose condition does not hold. */
const untrue = (places: ReadonlyArray<readonly [complaint: string, holds: boolean]>): ReadonlyArray<string> =>
  places.filter(([, holds]) => !holds).map(([complaint]) => complaint)

interface Manifest {
  readonly name: string
  readonly exports: { readonly [entry: string]: string }
  readonly publishConfig: { readonly exports: { readonly [entry: string]: string } }
}

const manifestOf = (files: Files, name: string): Manifest => JSON.parse(files.read(`packages/${name}/package.json`))

/** What a package exports here, and what it exports once it is published, are the same entries; tests know them all. */
const complainOfEntries = (files: Files, name: string): ReadonlyArray<string> => {
  const manifest = manifestOf(files, name)
  const published = manifest.publishConfig.exports
  const { compilerOptions: { paths } } = JSON.parse(files.read("tsconfig.tests.json"))
  const entries = new Set([...Object.keys(manifest.exports), ...Object.keys(published)])
  entries.delete("./package.json")
  return Array.from(entries).flatMap((entry) => {
    const source = manifest.exports[entry]
    const built = published[entry]
    const matching = source?.replace("./src/", "./dist/").replace(/\.ts$/u, ".js")
    const imported = manifest.name + entry.slice(1)
    const aliased = imported in paths || `${manifest.name}/*` in paths
    const places: ReadonlyArray<readonly [string, boolean]> = [
      [`packages/${name}/package.json: exports has no ${entry}`, source !== undefined],
      [`packages/${name}/package.json: publishConfig.exports has no ${entry}`, built !== undefined],
      [
        `packages/${name}/package.json: ${entry} is ${source}, and as published ${built}`,
        source === undefined || built === undefined || built === matching
      ],
      [`tsconfig.tests.json: paths has no ${imported}`, aliased]
    ]
    return untrue(places)
  })
}

const modulesIn = (index: string): ReadonlyArray<string> =>
  Array.from(index.matchAll(/^export \* as (\w+) from/gmu), ([, module]) => module!)

const complainOfModule = (files: Files, module: string): ReadonlyArray<string> => {
  const { not = [], page = `docs/policies/${kebab(module)}.md` } = exceptions[module] ?? {}
  const entry = `./${module}`
  const { exports } = manifestOf(files, "core")
  const policyOf = /^const policyOf[\s\S]*?^\}/mu.exec(files.read(laws))?.[0] ?? ""
  const rowsOf = (file: string): string =>
    files.read(file).split("\n").filter((line) => line.startsWith("|")).join("\n")
  const links = (file: string): boolean => {
    const from = file === readme ? page : page.replace("docs/", "")
    const name = new RegExp(`\\b${module}\\b`, "u")
    return rowsOf(file).split("\n").some((row) => name.test(row) && (page === file || row.includes(`(${from}`)))
  }
  const source = files.read(`packages/core/src/${module}.ts`)
  const types = Array.from(source.matchAll(/^export (?:interface|type) (\w*Options)\b/gmu), ([, type]) => type!)
  const text = files.read(page)
  const places: ReadonlyArray<readonly [string, boolean]> = [
    [`packages/core/package.json: exports has no ${entry}`, exports[entry] === `./src/${module}.ts`],
    [`${page} is missing`, files.read(page) !== ""],
    [`${page} does not say what it is about: ${module}`, text === "" || text.includes(module)],
    ...sections.filter(() => page.startsWith("docs/policies/") && text !== "").map((section) =>
      [`${page} has no section "${section}"`, not.includes(section) || text.includes(`\n## ${section}\n`)] as const
    ),
    ...[readme, catalogue, algebra].filter((file) => !not.includes(file)).map((file) =>
      [`${file}: no row of a table names ${module} and links its page`, links(file)] as const
    ),
    [
      `${laws}: policyOf has no case with ${module}`,
      not.includes(laws) || new RegExp(`\\b${module}\\.`, "u").test(policyOf)
    ],
    [
      `${options}: no row of its table makes a ${module} with a bad option`,
      types.length === 0 || not.includes(options) || files.read(options).includes(`"${module}.`)
    ],
    ...types.map((type) =>
      [
        `${vocabulary}: Options has no ${module}.${type}`,
        files.read(vocabulary).includes(`| ${module}.${type}`)
      ] as const
    )
  ]
  return untrue(places)
}

/** Every place where a module of core is told of, and is not yet. */
export const complaints = (files: Files): ReadonlyArray<string> => {
  const modules = modulesIn(files.read("packages/core/src/index.ts"))
  const { exports } = manifestOf(files, "core")
  const faces = files.list("packages/core/src").filter((file) => /^[A-Z]\w*\.ts$/u.test(file))
  const missing = faces.map((file) => file.replace(".ts", "")).filter((face) => !modules.includes(face))
  const pages = new Set(modules.map((module) => exceptions[module]?.page ?? `docs/policies/${kebab(module)}.md`))
  const strays = files.list("docs/policies").filter((page) =>
    !pages.has(`docs/policies/${page}`) && exports[subpaths[page] ?? ""] === undefined
  )
  const gone = Object.keys(exports).filter((entry) => /^\.\/[A-Z]/u.test(entry) && !modules.includes(entry.slice(2)))
  const found = [
    ...missing.map((face) => `packages/core/src/index.ts does not export ${face}`),
    ...modules.flatMap((module) => complainOfModule(files, module)),
    ...gone.map((entry) => `packages/core/package.json: ${entry} is no module of index.ts`),
    ...strays.map((page) => `docs/policies/${page} is about no module of index.ts`),
    ...["core", "azure-o1"].flatMap((name) => complainOfEntries(files, name))
  ]
  return Array.from(new Set(found))
}
