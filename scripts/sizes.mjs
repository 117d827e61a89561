// Measures what each entry adds to a bundle, over `effect`: minified, gzip -9. Needs `npm run build` before.
import { build } from "esbuild"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")

/** What a program imports and uses, and the most that it may add, in kB of 1,000 bytes. */
const budgets = [
  ["one policy: Retry", "core/Retry", "{ make }", "make({ times: 3 })", 8],
  ["one policy: Timeout", "core/Timeout", "{ attempt }", "attempt('1 second')", 8.5],
  ["one policy: CircuitBreaker", "core/CircuitBreaker", "{ make }", "make({ name: 'x' })", 11.5],
  ["a ready-made stack", "core/Pipelines", "{ makeStandard }", "makeStandard({ name: 'x' })", 27],
  ["the same, by the barrel", "core", "{ Pipelines }", "Pipelines.makeStandard({ name: 'x' })", 27.5],
  ["around an HttpClient", "core/http", "{ ResilientHttpClient }", "ResilientHttpClient.make", 7.5],
  ["all of core", "core", "* as all", "all", 59.5],
  ["the metrics of the client", "azure-o1/metrics", "{ O1Metrics }", "O1Metrics.layer()", 3.5],
  ["the o1 client", "azure-o1", "{ AzureO1 }", "AzureO1.layer", 83],
  ["its quota", "azure-o1/quota", "{ O1Quota }", "O1Quota.layer", 48],
  ["the same of several deployments", "azure-o1/pool", "{ AzureO1Pool }", "AzureO1Pool.layer", 98]
]

/** A bundler's way to what is published: the built files of the workspace, free of side effects as the manifests say. */
const published = {
  name: "published",
  setup: (bundle) => {
    bundle.onResolve({ filter: /^@effect-resilience\// }, ({ path }) => {
      const [, name, ...rest] = path.split("/")
      const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"))
      const entry = manifest.publishConfig.exports[[".", ...rest].join("/")]
      return { path: join(root, "packages", name, entry), sideEffects: manifest.sideEffects }
    })
  }
}

const sizeOf = async (program) => {
  const { outputFiles: [{ contents }] } = await build({
    stdin: { contents: program, resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    external: ["effect", "effect/*", "gpt-tokenizer/*"],
    plugins: [published],
    logLevel: "error"
  })
  return gzipSync(contents, { level: 9 }).length / 1000
}

/** Prints the sizes, and gives those that are over their budget. */
export const checkSizes = async () => {
  const rows = await Promise.all(budgets.map(async ([what, entry, imported, used, budget]) => {
    const from = `@effect-resilience/${entry}`
    const size = await sizeOf(`import ${imported} from "${from}"; console.log(${used})`)
    return { what, from, size, budget }
  }))
  console.log("  kB  budget  gzip -9 of what it adds over effect")
  for (const { budget, from, size, what } of rows) {
    console.log(`${size.toFixed(1).padStart(4)}  ${budget.toFixed(1).padStart(6)}  ${what}: ${from}`)
  }
  const unused = await sizeOf(`import { Retry } from "@effect-resilience/core"; console.log(1)`)
  return [
    ...rows.filter(({ budget, size }) => size > budget).map(({ budget, size, what }) =>
      `${what} adds ${size.toFixed(1)} kB, and its budget is ${budget} kB`
    ),
    ...unused > 0.1 ? [`an import that is not used adds ${unused.toFixed(1)} kB`] : []
  ]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const over = await checkSizes()
  if (over.length > 0) console.error(over.join("\n"))
  process.exitCode = over.length === 0 ? 0 : 1
}
