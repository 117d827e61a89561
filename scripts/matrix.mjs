// Packs both packages and uses them wherever they should work: runtimes, TypeScript, module resolutions, bundlers, a browser.
// Needs `npm run build` before, and the registry for the tools. A tool that is missing is skipped, and said. With --markdown the
// results come as a table as well.
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { examplesIn } from "../tools/doctest/src/examples.ts"
import { compile, expected, pack, peer, projectWith, root, run } from "./consumer.mjs"
import { nodePackages } from "./workspace.mjs"

const nodes = ["22.19.0", "24.21.0", "26.10.0"]
const typescripts = ["5.9.3", "7.0.2"]
const tools = {
  bun: "1.4.5",
  deno: "2.9.6",
  esbuild: "0.28.2",
  rollup: "4.68.8",
  "@rollup/plugin-node-resolve": "16.0.3",
  "@rollup/plugin-commonjs": "29.0.3",
  "@rollup/plugin-json": "6.1.0",
  vite: "8.3.8",
  webpack: "5.113.0",
  "webpack-cli": "7.3.1"
}

const rows = []
const told = { works: "works", known: "known not to", skipped: "skipped", fails: "FAILS" }

/** Runs one case and tells what came of it at once. */
const tryOut = (what, where, attempt) => {
  let row
  try {
    row = { what, where, result: "works", note: attempt() ?? "" }
  } catch (error) {
    row = { what, where, result: error.result ?? "fails", note: error.message }
  }
  rows.push(row)
  const first = row.note.split("\n")[0].slice(0, 200)
  console.error(`${told[row.result].padEnd(12)}  ${where}: ${what}${first === "" ? "" : `\n${" ".repeat(14)}${first}`}`)
}

const as = (result, message) => Object.assign(new Error(message), { result })

const must = (program, output) => {
  const seen = output.trim().split("\n").at(-1)
  if (seen !== expected[program]) throw new Error(`printed ${JSON.stringify(seen)}, not ${JSON.stringify(expected[program])}`)
}

const workshop = mkdtempSync(join(tmpdir(), "effect-resilience-matrix-"))
const bin = (name) => join(workshop, "node_modules", ".bin", name)

const install = () => {
  console.error("fetching the tools ...")
  const platform = nodePackages[`${process.platform}-${process.arch}`] ?? "node"
  const specs = [
    ...nodes.map((version) => `node-${version}@npm:${platform}@${version}`),
    ...typescripts.map((version) => `typescript-${version}@npm:typescript@${version}`),
    ...Object.entries(tools).map(([name, version]) => `${name}@${version}`)
  ]
  writeFileSync(join(workshop, "package.json"), JSON.stringify({ private: true, type: "module" }))
  run(workshop, "npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline", ...specs])
}

const nodeOf = (version) => join(workshop, "node_modules", `node-${version}`, "bin", process.platform === "win32" ? "node.exe" : "node")

const runtimes = (project) => {
  for (const version of nodes) {
    for (const program of Object.keys(expected)) {
      tryOut(`${program}.ts`, `Node ${version}`, () => must(program, run(project, nodeOf(version), [`${program}.ts`])))
    }
  }
  tryOut("require()", `Node ${nodes[0]}`, () => {
    const code = `const { Retry } = require("@effect-resilience/core"); console.log(typeof Retry.make)`
    if (run(project, nodeOf(nodes[0]), ["--input-type=commonjs", "-e", code]).trim() !== "function") throw new Error("no Retry.make")
  })
  for (const program of Object.keys(expected)) {
    tryOut(`${program}.ts`, `Deno ${tools.deno}`, () => must(program, run(project, bin("deno"), ["run", "-A", "--node-modules-dir=manual", `${program}.ts`])))
  }
  for (const program of ["core", "o1"]) {
    tryOut(`${program}.ts`, `Bun ${tools.bun}`, () => must(program, run(project, bin("bun"), [`${program}.ts`])))
  }
  tryOut("node.ts", `Bun ${tools.bun}`, () => {
    try {
      must("node", run(project, bin("bun"), ["node.ts"]))
    } catch (error) {
      throw as("known", `the undici of @effect/platform-node needs a dispatcher that Bun lacks; FetchHttpClient works\n${error.message}`)
    }
  })
}

const types = (project) => {
  for (const version of typescripts) {
    for (const resolution of ["nodenext", "bundler"]) {
      tryOut("all programs, strict", `TypeScript ${version}, ${resolution}`, () =>
        compile(project, join(workshop, "node_modules", `typescript-${version}`, "bin", "tsc"), resolution))
    }
  }
}

/** How each bundler makes one file for Node of an entry. */
const bundlers = {
  esbuild: (project, entry, out) =>
    run(project, bin("esbuild"), [entry, "--bundle", "--platform=node", "--format=esm", `--outfile=${out}`, banner]),
  rollup: (project, entry, out) => {
    const plugins = ["node-resolve", "commonjs", "json"].flatMap((name) => ["-p", join(workshop, "node_modules", "@rollup", `plugin-${name}`, "dist", "es", "index.js")])
    return run(project, bin("rollup"), [entry, "--format", "es", "--file", out, "--inlineDynamicImports", ...plugins])
  },
  vite: (project, entry, out) => {
    const config = join(project, "vite.config.mjs")
    writeFileSync(config, `export default { logLevel: "error", ssr: { noExternal: true }, build: { ssr: ${JSON.stringify(entry)}, outDir: "dist-vite", minify: false, rolldownOptions: { output: { entryFileNames: "out.mjs", codeSplitting: false } } } }`)
    const said = run(project, bin("vite"), ["build", "--config", config])
    cpSync(join(project, "dist-vite", "out.mjs"), out)
    return said
  },
  webpack: (project, entry, out) =>
    run(project, bin("webpack"), ["--mode", "production", "--target", "node22", "--entry", `./${entry}`, "-o", project, "--output-filename", out.replace(".mjs", ".cjs").replace(`${project}/`, ""), "--stats", "errors-only"]),
  bun: (project, entry, out) => run(project, bin("bun"), ["build", entry, "--target=node", `--outfile=${out}`])
}
const banner = `--banner:js=import { createRequire } from "node:module"; const require = createRequire(import.meta.url)`

const readmePrograms = () =>
  examplesIn(join(root, "README.md")).map(({ code }) => code).filter((code) => code.includes("from \"@effect-resilience/"))

/** The programs of a project as JavaScript, which every bundler takes. */
const sources = (project, names) => {
  const programs = [
    ...names.map((name) => [name, readFileSync(join(project, `${name}.ts`), "utf8")]),
    ["everything", "export * as core from \"@effect-resilience/core\"\nexport * as o1 from \"@effect-resilience/azure-o1\"\n"],
    ...names.includes("node") ? readmePrograms().map((code, i) => [`readme-${i + 1}`, code]) : []
  ]
  for (const [name, code] of programs) writeFileSync(join(project, `${name}.js`), stripTypeScriptTypes(code))
  return programs.map(([name]) => name)
}

const bundled = (project, names, having) => {
  for (const [bundler, bundle] of Object.entries(bundlers)) {
    for (const name of names) {
      tryOut(name, `${bundler} ${tools[bundler]}, ${having}`, () => {
        const out = join(project, `${bundler}-${name}.mjs`)
        bundle(project, `${name}.js`, out)
        const built = existsSync(out) ? out : out.replace(".mjs", ".cjs")
        // the programs of the README ask a real service
        if (expected[name] !== undefined) must(name, run(project, nodeOf(nodes.at(-1)), [built]))
        return `${(readFileSync(built).length / 1000).toFixed(0)} kB`
      })
    }
  }
}

const browser = (project) => {
  const chromium = [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"].find((name) => {
    try {
      return name !== undefined && execFileSync(name, ["--version"], { stdio: "ignore" }) === null
    } catch {
      return false
    }
  })
  tryOut("core.ts", "Chromium", () => {
    if (chromium === undefined) throw as("skipped", "there is none on the PATH; CHROMIUM names one")
    run(project, bin("esbuild"), ["core.ts", "--bundle", "--format=iife", "--platform=browser", "--outfile=browser.js"])
    const page = `<body></body><script>console.log = (text) => document.body.append(text)</script><script src="browser.js"></script>`
    writeFileSync(join(project, "page.html"), page)
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--virtual-time-budget=5000"]
    const dom = run(project, chromium, [...flags, "--dump-dom", `file://${join(project, "page.html")}`])
    if (!dom.includes(expected.core)) throw new Error(`showed ${dom.trim()}`)
  })
}

const markdown = () => {
  const line = (cells) => `| ${cells.join(" | ")} |`
  const places = [...new Set(rows.map(({ where }) => where))]
  return [line(["where", "what", ""]), line(["-----", "----", "--"])].concat(places.map((where) => {
    const here = rows.filter((row) => row.where === where)
    const bad = here.filter(({ result }) => result !== "works")
    const good = here.filter(({ result }) => result === "works").map(({ what }) => what).join(", ")
    return line([where, good, bad.map(({ result, what }) => `${what}: ${told[result]}`).join(", ") || "works"])
  })).join("\n")
}

const projects = []
try {
  install()
  mkdirSync(join(workshop, "packs"))
  const archives = pack(join(workshop, "packs"))
  console.error("installing them into empty projects ...")
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const nodeTypes = `@types/node@${devDependencies["@types/node"]}`
  const full = projectWith(archives, [peer("@effect/platform-node"), peer("gpt-tokenizer"), nodeTypes])
  projects.push(full)
  const bare = projectWith(archives, [])
  projects.push(bare)
  runtimes(full)
  types(full)
  bundled(full, sources(full, ["core", "o1", "node"]), "with optional peers")
  bundled(bare, sources(bare, ["core", "o1"]), "without optional peers")
  browser(full)
  if (process.argv.includes("--markdown")) console.log(markdown())
  const count = (result) => rows.filter((row) => row.result === result).length
  console.log(`\n${count("works")} work, ${count("known")} known not to, ${count("skipped")} skipped, ${count("fails")} fail`)
  for (const { note, what, where } of rows.filter(({ result }) => result === "fails")) console.log(`\n${where}: ${what}\n${note.slice(0, 2000)}`)
  process.exitCode = count("fails") === 0 ? 0 : 1
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  for (const folder of [workshop, ...projects]) rmSync(folder, { recursive: true, force: true })
}
