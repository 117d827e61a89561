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
  ["a balancer", "core/Balancer", "{ make }", "make({ endpoints: ['a'] })", 11.5],
  ["an adaptive throttle", "core/AdaptiveThrottle", "{ make }", "make({ name: 'x' })", 6],
  ["chaos", "core/Chaos", "{ fault }", "fault(() => 1, { ratio: 1 })", 4],
  ["an adaptive limit", "core/AdaptiveLimit", "{ make }", "make()", 11.5],
  ["a ready-made stack", "core/Pipelines", "{ makeStandard }", "makeStandard({ name: 'x' })", 27],
  ["the same, by the barrel", "core", "{ Pipelines }", "Pipelines.makeStandard({ name: 'x' })", 27.5],
  ["around an HttpClient", "core/http", "{ ResilientHttpClient }", "ResilientHttpClient.make", 7.5],
  ["a limit for many processes", "core/shared", "{ Shared }", "Shared.rateLimiter", 28.5],
  ["a simulation", "core/simulation", "{ Client, Simulation }", "[Client.make, Simulation.run]", 51],
  ["all of core", "core", "* as all", "all", 67.5],
  ["the metrics of the client", "azure-o1/metrics", "{ O1Metrics }", "O1Metrics.layer()", 3.5],
  ["the history of the monitor", "azure-o1/history", "{ O1History }", "O1History.layer({ path: 'x' })", 9],
  ["the o1 client", "azure-o1", "{ AzureO1 }", "AzureO1.layer", 77.5],
  ["its quota", "azure-o1/quota", "{ O1Quota }", "O1Quota.layer", 44],
  ["the same of several deployments", "azure-o1/pool", "{ AzureO1Pool }", "AzureO1Pool.layer", 96.5]
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

const bundle = async (program) => {
  const { metafile, outputFiles: [{ contents }] } = await build({
    stdin: { contents: program, resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    external: ["effect", "effect/*", "gpt-tokenizer/*"],
    plugins: [published],
    logLevel: "error"
  })
  const [{ inputs }] = Object.values(metafile.outputs)
  return { size: gzipSync(contents, { level: 9 }).length / 1000, length: contents.length, inputs }
}

const sizeOf = async (program) => (await bundle(program)).size

const programOf = ([, entry, imported, used]) =>
  `import ${imported} from "@effect-resilience/${entry}"; console.log(${used})`

/** What the modules of a bundle are for; the first that fits counts. */
const parts = {
  core: {
    "calls on the caller's own fiber": /internal\/(frame|boundary|primitive|interrupt\w*)\.js/,
    "checks of options": /internal\/options/,
    "which failure it is (HTTP, gRPC, RPC)": /Fault\.js|retryAfter|grpc/,
    "streams": /Stream\.js|establish|phases/,
    "errors": /errors|rejection/,
    "time, deadlines and waits": /deadline|[wW]aits|turn|timers|internal\/time\.js|leftBehind/i,
    "events, spans, registry": /emit|events|Spans|registry|Telemetry/i,
    "retry and its schedule": /retry(Run|Purse)?\.js|backoff|repeat|tried/i,
    "retry budget": /retryBudget/i,
    "circuit breaker": /circuitBreaker|trip|window|permit|list/i,
    "bulkhead and its queue": /bulkhead|kernel\/queue|queueOptions|criticality/i,
    "timeout": /timeout/i,
    "composition": /policy|lint|pipelines|model|keyed/i
  },
  "azure-o1": {
    "the wire of both APIs": /\/wire\//,
    "connections, attempts, streams, what is kept": /\/transport\/|O1Transport/,
    "calls, objects, progress, spans": /\/client\/|AzureO1\.js/,
    "errors and their words": /\/errors\/|O1Error/,
    "configuration and credentials": /\/config\/|\/credential\/|Credential|AzureO1Config/,
    "models and requests": /\/profiles\/|\/request\/|ModelProfile|O1Request/,
    "the policy of calls": /\/policy\/|O1Policy/
  }
}

const partOf = (path, isClient) => {
  if (isClient && path.includes("core/")) return "core: all of a pipeline but the bulkhead and the budget"
  const rules = Object.entries(parts).find(([folder]) => path.includes(`packages/${folder}/`))?.[1] ?? {}
  return Object.entries(rules).find(([, rule]) => rule.test(path))?.[0] ?? "other"
}

/** Prints what the bytes of some entries are for: the share of each part in the minified text, of the size after gzip. */
const showParts = async () => {
  const entries = budgets.filter(([what]) => detailed.has(what))
  const bundles = await Promise.all(entries.map((budget) => bundle(programOf(budget))))
  for (const [i, { inputs, length, size }] of bundles.entries()) {
    const [what, entry] = entries[i]
    const sums = new Map()
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const part = partOf(path, entry === "azure-o1")
      sums.set(part, (sums.get(part) ?? 0) + bytesInOutput * size / length)
    }
    console.log(`\n${size.toFixed(1).padStart(4)}  ${what}`)
    const rows = Array.from(sums).filter(([, kB]) => kB >= 0.05).toSorted(([, a], [, b]) => b - a)
    for (const [part, kB] of rows) console.log(`${kB.toFixed(1).padStart(6)}  ${part}`)
  }
}

const detailed = new Set(["one policy: Retry", "one policy: CircuitBreaker", "a ready-made stack", "the o1 client"])

/** Prints the sizes, and gives those that are over their budget. */
export const checkSizes = async () => {
  const rows = await Promise.all(budgets.map(async (row) => {
    const [what, entry, , , budget] = row
    return { what, from: `@effect-resilience/${entry}`, size: await sizeOf(programOf(row)), budget }
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
  const unknown = process.argv.slice(2).find((option) => option !== "--parts")
  if (unknown !== undefined) {
    console.error(`sizes: there is no option ${unknown}; --parts says what the bytes are for`)
    process.exit(1)
  }
  const over = await checkSizes()
  if (process.argv.includes("--parts")) await showParts()
  if (over.length > 0) console.error(over.join("\n"))
  process.exitCode = over.length === 0 ? 0 : 1
}
