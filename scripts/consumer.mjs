// Packs what would be published and installs it with npm into a project of its own.
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"

export const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const shell = process.platform === "win32"

/** Runs a command to its end; one that fails throws what it said. */
export const run = (cwd, command, args, env = {}) => {
  const options = { cwd, shell, encoding: "utf8", env: { ...process.env, ...env }, timeout: 300_000, maxBuffer: 2 ** 26 }
  const { error, signal, status, stderr, stdout } = spawnSync(command, args, options)
  if (status === 0) return stdout
  const why = error?.message ?? signal ?? `exit code ${status}`
  throw new Error(`${command} ${args.join(" ")}: ${why}\n${stdout ?? ""}${stderr ?? ""}`.trim())
}

/** What a program of `consumer/` prints where everything works. */
export const expected = {
  core: "core: up after 3 requests, through",
  o1: "o1: mocked, over the wire",
  node: "node: by undici"
}

const programs = join(root, "packages", "examples", "consumer")
const names = ["core", "azure-o1"]

/** The packages as they would be published, as archives in a folder. */
export const pack = (folder) => {
  mkdirSync(folder, { recursive: true })
  return names.map((name) =>
    run(join(root, "packages", name), "pnpm", ["pack", "--pack-destination", folder]).trim().split("\n").at(-1)
  )
}

const versionOf = (name) =>
  JSON.parse(readFileSync(join(root, "packages", "azure-o1", "package.json"), "utf8")).devDependencies[name]

/** Peers in the versions that the tests use. */
export const peer = (name) => `${name}@${versionOf(name)}`

/** A project in a folder of its own, with the packages installed and the programs of `consumer/` in it. */
export const projectWith = (archives, others) => {
  const folder = mkdtempSync(join(tmpdir(), "effect-resilience-consumer-"))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
  run(folder, "npm", ["install", ...quiet, ...archives, peer("effect"), ...others])
  for (const file of readdirSync(programs)) copyFileSync(join(programs, file), join(folder, file))
  return folder
}

/** Compiles the programs of a project as a strict program would be. */
export const compile = (folder, tsc, resolution) => {
  const module = resolution === "bundler" ? "esnext" : resolution
  const options = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    module,
    moduleResolution: resolution,
    target: "es2022",
    lib: ["es2023", "dom", "dom.iterable"],
    types: ["node"]
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["*.ts"] }))
  run(folder, process.execPath, [tsc, "-p", "tsconfig.json"])
}
