/** The demo that `npm start` runs: `npm start -- --help` tells how. */
import { AzureO1Config, O1Error, user } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { acts } from "./acts/index.ts"
import { complete, stream } from "./ask.ts"
import { Scale } from "./deployment.ts"
import { help, type Options, parse } from "./options.ts"
import { Screen } from "./Screen.ts"
import { short } from "./texts.ts"
import { seconds } from "./timeline.ts"
import { wrap } from "./wrap.ts"

const title = Effect.fnUntraced(function*(...paragraphs: ReadonlyArray<string>) {
  const { line } = yield* Screen
  yield* line()
  yield* line("effect-resilience: o1 calls that survive a bad day", { style: ["bold", "inverse"] })
  for (const text of paragraphs) {
    yield* line()
    yield* line(text, { style: "dim" })
  }
})

const heading = Effect.fnUntraced(function*(what: string, question: string | undefined, about: string) {
  const { line } = yield* Screen
  yield* line()
  yield* line(what, { style: "bold" })
  if (question !== undefined) yield* line(`"${short(question)}"`, { style: "italic", indent: 4 })
  yield* line(about, { style: "dim", indent: 4 })
  yield* line()
})

/** What an act has shown, and what it was to show but has not. */
const verdict = Effect.fnUntraced(function*(shown: boolean, seen: string) {
  const { line } = yield* Screen
  yield* line()
  yield* line(`${shown ? "=>" : "NOT as it should be:"} ${seen}`, { style: shown ? "green" : "red", indent: 4 })
  if (!shown) process.exitCode = 1
})

const onFake = ({ chosen, fast, prompt }: Options) =>
  Effect.gen(function*() {
    yield* title(
      "This talks to a fake deployment: a server on this machine that goes wrong on purpose. The limits are those of " +
        "production, 60 times shorter: a minute takes a second.",
      ...Option.isNone(prompt) ? [] : [
        "The fake cannot think about your question, and its answers say so. With AZURE_OPENAI_ENDPOINT, " +
        "AZURE_OPENAI_API_KEY and AZURE_OPENAI_DEPLOYMENT set, your own deployment answers it."
      ]
    )
    const run = Effect.fnUntraced(function*(number: number) {
      const { about, question, run, title } = acts[number - 1]!
      yield* heading(`Act ${number}: ${title}`, question && Option.getOrElse(prompt, () => question), about)
      const { seen, shown } = yield* Effect.scoped(run({ prompt, fast }))
      yield* verdict(shown, seen)
      if (!fast && number !== chosen.at(-1)) yield* Effect.sleep("1200 millis")
    })
    const [duration] = yield* Effect.timed(
      Effect.forEach(chosen, run, { discard: true }).pipe(Effect.provideService(Scale, 60))
    )
    const { line } = yield* Screen
    yield* line()
    yield* line(`${chosen.length === 1 ? "1 act" : `${chosen.length} acts`} in ${seconds(duration)}.`)
    yield* line("More: npm start -- --help", { style: "dim" })
    yield* line()
  })

const onAzure = ({ chosen, prompt }: Options) =>
  Effect.gen(function*() {
    const config = yield* AzureO1Config.config
    const { line } = yield* Screen
    yield* title(
      `Deployment "${config.deployment}" at ${config.endpoint}, with the limits of production. Its faults are its own; ` +
        "npm start -- --fake shows some that are made to order."
    )
    const questionOf = (number: number): string => Option.getOrElse(prompt, () => acts[number - 1]?.question ?? "")
    if (chosen.includes(1)) {
      const question = questionOf(1)
      yield* heading("Act 1: A call", question, "One answer, in one piece.")
      const { usage } = yield* complete({ messages: [user(question)] })
      const used = usage === undefined
        ? "The service did not say"
        : `${usage.output} tokens, ${usage.reasoning} for reasoning`
      yield* verdict(true, `What the answer took: ${used}.`)
    }
    if (chosen.includes(2)) {
      const question = questionOf(2)
      yield* heading("Act 2: A stream", question, "An answer as it is made.")
      const { completion, pieces } = yield* stream({ messages: [user(question)] })
      const whole = pieces.join("") === completion.text
      yield* verdict(
        whole,
        `Pieces that arrived: ${pieces.length}; together they are ${whole ? "" : "not "}the answer.`
      )
    }
    for (const number of chosen.filter((number) => acts[number - 1]?.question === undefined)) {
      yield* line()
      yield* line(`Act ${number} needs faults made to order: npm start -- --fake --act ${number}`, { style: "dim" })
    }
    yield* line()
  }).pipe(Effect.provide(AzureO1Node.layerConfig))

const variables = ["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_DEPLOYMENT"] as const
const isSet = (name: string): boolean => (process.env[name] ?? "") !== ""

const asksAzure = ({ fake }: Options): boolean => !fake && variables.some(isSet)

/** What a person needs to know, and no stack. */
const explain = (error: O1Error | Config.ConfigError): string => {
  if (O1Error.is(error)) return error.message
  const missing = variables.filter((name) => !isSet(name))
  if (missing.length > 0) {
    const are = missing.length === 1 ? "is" : "are"
    return `${missing.join(" and ")} ${are} not set. Set all of ${
      variables.join(", ")
    }, or none of them; --fake does without.`
  }
  return error.message
}

/** What the client logs, for instance that a service keeps prompts, as a paragraph; of the fake it says nothing new. */
const logged = (shown: boolean): Layer.Layer<never, never, Screen> =>
  Layer.unwrap(Effect.map(Screen, ({ line }) =>
    Logger.layer(
      shown
        ? [
          Logger.make(({ message }) =>
            Effect.runSync(line([message].flat().map(String).join(" "), { style: "dim", indent: 4 }))
          )
        ]
        : []
    )))

const main = (options: Options) =>
  (asksAzure(options) ? onAzure(options) : onFake(options)).pipe(
    Effect.catch((error) =>
      Effect.gen(function*() {
        const { endParagraph } = yield* Screen
        yield* endParagraph
        // what reads a pipe wants the sentence whole
        const width = process.stderr.isTTY ? Math.min(process.stderr.columns, 100) - 2 : Infinity
        const lines = explain(error).split("\n").flatMap((line) => wrap(line, width))
        process.stderr.write(`\n${lines.map((line) => `  ${line}`).join("\n")}\n\n`)
        process.exitCode = 1
      })
    ),
    Effect.provide(Layer.provideMerge(logged(asksAzure(options)), Screen.layer))
  )

const options = parse(process.argv.slice(2), process.env)
if (Result.isFailure(options)) {
  process.stderr.write(`${options.failure}\n\n${help}\n`)
  process.exitCode = 2
} else if (options.success.help) {
  process.stdout.write(`${help}\n`)
} else {
  NodeRuntime.runMain(main(options.success))
}
