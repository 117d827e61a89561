/** What `npm run` offers: on an old Node, with help, and ended as one ends a command. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>
}

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script of the workspace; `heard` may do something once it has said something. */
const run = (args: ReadonlyArray<string>, heard?: Heard) => runProgram(process.execPath, args, heard)

type Heard = (stdout: string, kill: (signal: NodeJS.Signals) => void) => void

const runProgram = (program: string, args: ReadonlyArray<string>, heard?: Heard, env: NodeJS.ProcessEnv = {}) =>
  Effect.callback<Ended>((resume) => {
    const child = spawn(program, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env }
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text
      heard?.(stdout, (signal) => child.kill(signal))
    })
    child.stderr.setEncoding("utf8").on("data", (text) => stderr += text)
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    return Effect.sync(() => child.kill())
  })

const tasks = Object.entries(scripts).flatMap(([name, command]) =>
  command === `node scripts/task.mjs ${name}` ? [name] : []
)

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("the scripts of package.json", () => {
  it("need no Node but the one that runs the bootstrap", () => {
    // by way of the bootstrap, or by what it is made of
    const bootstraps = (command: string): boolean => {
      const file = /^node (scripts\/\w+\.mjs)( |$)/u.exec(command)?.[1]
      return file !== undefined && readFileSync(join(root, file), "utf8").includes("\"./workspace.mjs\"")
    }
    const others = Object.entries(scripts).filter(([, command]) => !bootstraps(command))
    // npm and pnpm run it after an installation
    assert.deepStrictEqual(others.map(([name]) => name), ["prepare"])
    assert.isAbove(tasks.length, 15)
  })

  it.live("have help that fits a terminal", () =>
    Effect.gen(function*() {
      for (const script of [...tasks.map((name) => ["task", name]), ["example"]]) {
        const [file, ...args] = script
        const { code, stderr, stdout } = yield* run([`scripts/${file}.mjs`, ...args, "--help"])
        assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" }, script.join(" "))
        assert.match(stdout, /^npm /u)
        for (const line of stdout.split("\n")) assert.isAtMost(line.length, 80, line)
      }
    }))

  for (const [name, command] of Object.entries(scripts)) {
    const program = /^node scripts\/bootstrap\.mjs node (.*\.ts)/u.exec(command)?.[1]?.split(" ")
    if (program === undefined) continue
    it.live(`${name} has help that fits a terminal, and refuses what it does not know`, () =>
      Effect.gen(function*() {
        const help = yield* run([...program, "--help"])
        assert.deepStrictEqual([help.code, help.stderr], [0, ""])
        assert.match(help.stdout, /^npm /u)
        for (const line of help.stdout.split("\n")) assert.isAtMost(line.length, 80, line)
        const refused = yield* run([...program, "--nonsense"])
        assert.isAbove(refused.code ?? 0, 0)
        assert.include(refused.stderr, "--nonsense")
        assert.notMatch(refused.stderr, /^ +at /mu)
      }), 60_000)
  }

  it.live("say what there is where something is not", () =>
    Effect.gen(function*() {
      const task = yield* run(["scripts/task.mjs", "nonsense"])
      assert.strictEqual(task.code, 1)
      assert.match(task.stderr, /^There is no task "nonsense"\.\n\nnpm run NAME/u)
      const example = yield* run(["scripts/example.mjs", "99"])
      assert.strictEqual(example.code, 1)
      assert.match(example.stderr, /There is no example "99"/u)
      const command = yield* run(["scripts/bootstrap.mjs", "no-such-command"])
      assert.deepStrictEqual([command.code, command.stderr], [127, "There is no command \"no-such-command\".\n"])
    }))

  it.live("list every example, and run one by number or name", () =>
    Effect.gen(function*() {
      const { stdout } = yield* run(["scripts/example.mjs"])
      const files = readdirSync(join(root, "packages/examples/src")).filter((file) => file.endsWith(".ts"))
      for (const file of files) {
        assert.match(stdout, new RegExp(`^ +${Number.parseInt(file, 10)}  ${file.slice(3, -3)} +\\S`, "mu"))
      }
      for (const line of stdout.split("\n")) assert.isAtMost(line.length, 80, line)
      const [byNumber, byName] = yield* Effect.all([
        run(["scripts/example.mjs", "1"]),
        run(["scripts/example.mjs", "call"])
      ])
      assert.strictEqual(byNumber.code, 0)
      assert.include(byNumber.stdout, "Because air scatters blue light")
      assert.strictEqual(byName.stdout, byNumber.stdout)
    }), 180_000)

  for (const [signal, code] of [["SIGTERM", 143], ["SIGHUP", 129], ["SIGINT", 130]] as const) {
    it.live(`pass ${signal} on, and leave nothing behind`, () =>
      Effect.gen(function*() {
        let pid = 0
        const program = "console.log(process.pid); setInterval(() => {}, 1000)"
        const ended = yield* run(["scripts/bootstrap.mjs", "node", "-e", program], (stdout, kill) => {
          pid = Number(stdout)
          kill(signal)
        })
        assert.strictEqual(ended.code, code)
        assert.isAbove(pid, 0)
        assert.isFalse(alive(pid))
      }), 60_000)
  }

  // Windows has no shell of npm to end, and no signals
  if (process.platform !== "win32") {
    it.live("end with npm, whose shell passes no signal on", () =>
      Effect.gen(function*() {
        let pid = 0
        const program = "console.log(process.pid); setInterval(() => {}, 1000)"
        // the shell waits for the command, as that of npm does
        const command = `"${process.execPath}" scripts/bootstrap.mjs node -e '${program}'; :`
        const heard: Heard = (stdout, kill) => {
          pid = Number(stdout)
          kill("SIGTERM")
        }
        // it ends when the last process that writes into its pipe has ended
        yield* runProgram("sh", ["-c", command], heard, { npm_lifecycle_event: "start" })
        assert.isAbove(pid, 0)
        assert.isFalse(alive(pid))
      }), 60_000)
  }
})
