// Checks what would be published: that every module of core is told of wherever modules are told of, the manifests, the types,
// that a program that has installed the packages can import every entry, run it and compile against it, that the programs of
// the README bundle, and the sizes. Needs `npm run build` before.
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { complaints, filesOf } from "../tools/architecture/src/wiring.ts"
import { examplesIn } from "../tools/doctest/src/examples.ts"
import { checkSizes } from "./sizes.mjs"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const packages = ["core", "azure-o1"].map((name) => join(root, "packages", name))
const consumer = mkdtempSync(join(tmpdir(), "effect-resilience-"))

const run = (cwd, command, ...args) => {
  const shell = process.platform === "win32"
  const { error, status, stderr, stdout } = spawnSync(command, args, { cwd, encoding: "utf8", shell })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(" ")} failed in ${cwd}\n${error?.message ?? `${stdout}${stderr}`}`)
}

const must = (complaints) => {
  if (complaints.length > 0) throw new Error(complaints.join("\n"))
}

/** The programs of the README that use the packages, and one for each entry point that is likely to be bundled. */
const programs = () => [
  ...examplesIn(join(root, "README.md")).map(({ code }) => code).filter((code) => code.includes("from \"@effect-resilience/")),
  "export * from \"@effect-resilience/azure-o1\"",
  "export * from \"@effect-resilience/core\""
]

const bundle = async (contents) => {
  const options = { bundle: true, write: false, platform: "node", format: "esm", logLevel: "silent" }
  try {
    await build({ ...options, stdin: { contents, resolveDir: consumer, loader: "ts" } })
    return []
  } catch (error) {
    return [`${error.message}\n${contents}`]
  }
}

/** The manifest of a package, and the names under which it can be imported. */
const read = (directory) => {
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))
  const entries = Object.keys(manifest.publishConfig.exports).filter((entry) => entry !== "./package.json")
  return { name: manifest.name, entries: entries.map((entry) => manifest.name + entry.slice(1)) }
}

const check = async () => {
  must(complaints(filesOf(root)))
  const modules = join(consumer, "node_modules")
  const imports = []
  for (const directory of packages) {
    const { entries, name } = read(directory)
    run(directory, "pnpm", "exec", "publint", "--strict")
    run(directory, "pnpm", "exec", "attw", "--pack", ".", "--profile", "esm-only", "--no-emoji")
    const installed = join(modules, ...name.split("/"))
    mkdirSync(installed, { recursive: true })
    const packed = run(directory, "pnpm", "pack", "--pack-destination", consumer).trim().split("\n").at(-1)
    run(consumer, "tar", "-xzf", packed, "-C", installed, "--strip-components", "1")
    imports.push(...entries)
    console.log(`${name}: ${entries.length} entries`)
  }
  mkdirSync(join(modules, "@effect"))
  mkdirSync(join(modules, "@types"))
  const dependencies = join(packages[1], "node_modules")
  symlinkSync(join(dependencies, "effect"), join(modules, "effect"))
  symlinkSync(join(dependencies, "@effect", "platform-node"), join(modules, "@effect", "platform-node"))
  // the optional peers of the plots
  for (const name of ["d3-scale", "d3-shape"]) {
    symlinkSync(join(packages[0], "node_modules", name), join(modules, name))
  }
  symlinkSync(join(root, "node_modules", "@types", "node"), join(modules, "@types", "node"))

  const lines = imports.map((entry, i) => `import * as m${i} from ${JSON.stringify(entry)}`)
  const used = imports.map((_, i) => `Object.keys(m${i}).length`).join(" && ")
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ type: "module" }))
  writeFileSync(join(consumer, "program.ts"), `${lines.join("\n")}\nif (!(${used})) throw new Error("an empty module")\n`)
  run(consumer, process.execPath, "program.ts")
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "node", "program.ts"]
  run(consumer, join(root, "node_modules", ".bin", "tsc"), ...options)

  // optional peers that are missing, and those that are there
  const all = programs()
  const alone = await Promise.all(all.map(bundle))
  symlinkSync(join(dependencies, "gpt-tokenizer"), join(modules, "gpt-tokenizer"))
  const together = await Promise.all(all.map(bundle))
  must([...alone, ...together].flat())
  console.log(`esbuild: ${all.length} programs, with and without the optional tokenizer`)
  must(await checkSizes())
}

try {
  await check()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(consumer, { recursive: true, force: true })
}
