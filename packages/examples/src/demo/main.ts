/**
 * The demo that `npm start` runs. Without environment it talks to a server on loopback that has a bad day; with
 * `AZURE_OPENAI_*` set, to that deployment. An argument is the prompt.
 */
import { AzureO1Config, type O1Error } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as badDay from "./badDay.ts"
import { program } from "./program.ts"
import { Screen } from "./Screen.ts"

const words = process.argv.slice(2).join(" ").trim()
const prompt = words === "" ? Option.none() : Option.some(words)

const title = Effect.fnUntraced(function*(...lines: ReadonlyArray<string>) {
  const { line, style } = yield* Screen
  yield* line()
  yield* line(
    `  ${style(["bold", "inverse"], " effect-resilience ")}  ${style("bold", "o1 calls that survive a bad day")}`
  )
  yield* line()
  for (const text of lines) yield* line(`  ${style("dim", text)}`)
})

const onFake = Effect.gen(function*() {
  const { config, url } = yield* FakeAzure
  yield* title(
    `No AZURE_OPENAI_* is set: this talks to a fake deployment on ${url},`,
    `which follows a script of faults. All limits are scaled down ${badDay.scale} : 1, so that`,
    "a minute takes a second."
  )
  yield* program({ prompt, deployment: config.deployment })
}).pipe(Effect.provide(badDay.layer))

const onAzure = Effect.gen(function*() {
  const config = yield* AzureO1Config.config
  yield* title(`Deployment "${config.deployment}" at ${config.endpoint}, with the limits of production.`)
  yield* program({ prompt, deployment: config.deployment })
}).pipe(Effect.provide(AzureO1Node.layerConfig))

const configured = Object.keys(process.env).some((name) => name.startsWith("AZURE_OPENAI_"))

/** What a person needs to know, and no stack. */
const explain = (error: O1Error | Config.ConfigError): string => error.message

const main = (configured ? onAzure : onFake).pipe(
  Effect.catch((error) =>
    Effect.gen(function*() {
      const { endParagraph } = yield* Screen
      yield* endParagraph
      process.stderr.write(`\n  ${explain(error)}\n\n`)
      process.exitCode = 1
    })
  ),
  Effect.provide(Screen.layer)
)

NodeRuntime.runMain(main)
