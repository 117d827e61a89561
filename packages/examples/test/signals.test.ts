import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const module = fileURLToPath(new URL("../src/support/signals.ts", import.meta.url))
const resolved = (name: string): string => fileURLToPath(import.meta.resolve(name))

const program = `
  import * as NodeRuntime from ${JSON.stringify(resolved("@effect/platform-node/NodeRuntime"))}
  import { Console, Effect, Runtime } from ${JSON.stringify(resolved("effect"))}
  import { teardownOnSignals } from ${JSON.stringify(module)}
  const program = Effect.acquireUseRelease(Effect.void, () => Effect.andThen(Console.log("begun"), Effect.never), () => Console.log("ended"))
  NodeRuntime.runMain(program, { teardown: teardownOnSignals(Runtime.defaultTeardown) })
`

describe("a program that is asked to end", () => {
  it.live.each([["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const)(
    "by %s cleans up and says so with code %d",
    ([signal, code]) =>
      Effect.gen(function*() {
        const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
          stdio: ["ignore", "pipe", "inherit"]
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
        let said = ""
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
          said += text
          if (said === "begun\n") child.kill(signal)
        })
        const ended = yield* Effect.callback<number | null>((resume) => {
          child.on("close", (code) => resume(Effect.succeed(code)))
        })
        assert.deepStrictEqual([ended, said], [code, "begun\nended\n"])
      }).pipe(Effect.scoped)
  )
})
