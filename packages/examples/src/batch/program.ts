/** The program: the parent, or one of its workers. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import process from "node:process"
import { wrap } from "../demo/wrap.ts"
import { codes, signals } from "../support/signals.ts"
import type { Listen } from "./answer.ts"
import { run, type Verdict } from "./coordinator.ts"
import { help, type Options, parse } from "./options.ts"
import * as worker from "./process.ts"
import { count, makeScreen, type Screen } from "./progress.ts"
import { type Settings, variable } from "./settings.ts"

const conclude = ({ bad, output, replaced, standing, stopped }: Verdict, fake: boolean, screen: Screen): void => {
  const { answered, failed, total, twice } = standing
  const say = (text: string): void => wrap(text, 80).forEach(screen.say)
  say(`Answers: ${output}`)
  if (replaced > 0) say(`Workers that died and were replaced: ${replaced}`)
  if (twice > 0) {
    say(
      "Possibly billed twice: nobody heard what became of a request, or its response cannot be read any more, so that the " +
        "prompt was put once more."
    )
  }
  if (stopped) {
    say("Run the same command again to go on.")
    if (fake) say("The fake deployment forgets what it was asked, so those in flight will be asked for once more.")
  }
  const figures = [
    `${answered.toLocaleString("en")} of ${count(total, "prompt")} answered`,
    `${failed.toLocaleString("en")} failed`,
    `${twice.toLocaleString("en")} possibly billed twice`,
    ...bad === 0 ? [] : [count(bad, "bad line")]
  ].join(", ")
  say(`${stopped ? "Stopped" : "Done"}: ${figures}.`)
}

const parent = (options: Options, file: string): void => {
  const screen = makeScreen(process.stdout)
  const stop = Deferred.makeUnsafe<void>()
  let code: number | undefined
  for (const signal of signals) {
    process.on(signal, () => {
      // a second signal waits for nothing, and the next run still goes on
      if (code !== undefined) process.exit(code)
      code = codes[signal]
      screen.say("Stopping: waiting for what is being asked for. Once more to stop at once.")
      Deferred.doneUnsafe(stop, Effect.void)
    })
  }
  const program = run(options, file, screen, stop).pipe(
    Effect.map((verdict) => {
      conclude(verdict, options.fake, screen)
      const { bad, standing, stopped } = verdict
      return stopped && code !== undefined ? code : standing.failed + bad > 0 || stopped ? 1 : 0
    }),
    Effect.catch(({ message }) =>
      Effect.sync(() => {
        screen.clear()
        process.stderr.write(`${message}\n`)
        return 1
      })
    ),
    Effect.provide(Logger.layer([]))
  )
  void Effect.runPromise(program).then((code) => process.exitCode = code)
}

/** Runs the program of this process. `file` is what a worker is started with, `steps` what is told between its steps. */
export const main = (file: string, steps?: Listen): void => {
  const settings = process.env[variable]
  if (settings !== undefined) {
    delete process.env[variable]
    return worker.main(JSON.parse(settings) as Settings, steps)
  }
  const options = parse(process.argv.slice(2), process.env)
  if (Result.isFailure(options)) {
    process.stderr.write(`${options.failure}\nnpm run batch -- --help tells more.\n`)
    process.exitCode = 1
  } else if (options.success.help) process.stdout.write(`${help}\n`)
  else parent(options.success, file)
}
