// What FakeAzure says of the service, checked at the service. See `--help`.
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http"
import { writeFileSync } from "node:fs"
import process from "node:process"
import { numberOf, read } from "../benchmark/arguments.ts"
import * as AzureO1Config from "../src/AzureO1Config.ts"
import * as ModelProfile from "../src/ModelProfile.ts"
import * as AzureO1Node from "../src/node.ts"
import { costOf, run } from "./run.ts"
import { linesOf, verdict, words } from "./say.ts"
import type { Allowed } from "./target.ts"

const values = read(words.help, {
  yes: { type: "boolean", default: false },
  burst: { type: "string", default: "0" },
  "max-tokens": { type: "string", default: "2000" },
  out: { type: "string", default: "azure-live.json" }
})

const isCi = ({ CI }: NodeJS.ProcessEnv): boolean => CI !== undefined && CI !== "" && CI !== "false" && CI !== "0"

const live = Effect.gen(function*() {
  const config = yield* AzureO1Config.config
  const { env } = process
  const allowed: Allowed = {
    token: env.AZURE_OPENAI_TOKEN,
    filterPrompt: env.AZURE_OPENAI_FILTER_PROMPT,
    burst: numberOf("burst", values.burst, 0),
    maxTokens: numberOf("max-tokens", values["max-tokens"], 1)
  }
  const { profile = ModelProfile.o1 } = config
  console.log(words.cost(costOf(allowed, { allowed, profile })))
  if (!values.yes && env.AZURE_OPENAI_LIVE !== "yes") {
    console.log(words.notYet)
    return 2
  }
  const report = yield* run(config, allowed, yield* HttpClient.HttpClient, {
    source: `npm run live, ${new Date().toISOString().slice(0, 10)}, ${profile.name}`,
    tell: (outcome) => console.log(linesOf(outcome).join("\n"))
  })
  writeFileSync(values.out, `${JSON.stringify(report.transcript, null, 1)}\n`)
  console.log(`The transcript is in ${values.out}. Read it before you give it to anybody.`)
  console.log(verdict(report))
  return report.outcomes.every(({ differed }) => differed.length === 0) ? 0 : 1
}).pipe(
  Effect.provide([AzureO1Node.layerHttpClient, AzureO1Node.layerNetwork]),
  Effect.catch((error) =>
    Effect.sync(() => {
      console.error(error instanceof Config.ConfigError ? error.message : String(error))
      console.error("Nothing was sent. --help says what is needed.")
      return 2
    })
  )
)

if (isCi(process.env)) {
  console.error(words.inCi)
  process.exitCode = 2
} else process.exitCode = await Effect.runPromise(live)
