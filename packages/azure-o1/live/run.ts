// Makes the checks at the service and at FakeAzure, and says in what the two agree.
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http"
import * as Redacted from "effect/Redacted"
import type { AzureO1Config } from "../src/AzureO1Config.ts"
import { O1Error } from "../src/O1Error.ts"
import type { Check, Found } from "./check.ts"
import { checks } from "./checks.ts"
import { twin } from "./fake.ts"
import type { Recorded } from "./recorder.ts"
import { redactor } from "./redact.ts"
import { compare, type Difference } from "./shapes.ts"
import { type Allowed, type Target, targetOf } from "./target.ts"
import { caseOf, exchangesOf, type Transcript } from "./transcript.ts"

/** What a run may cost at most. */
export interface Cost {
  readonly requests: number
  readonly answers: number
  readonly outputTokens: number
}

export const costOf = (allowed: Allowed, target: Pick<Target, "allowed" | "profile">): Cost => {
  const made = checks.filter(({ missing }) => missing?.(target) === undefined)
  const total = (of: (check: Check) => number): number => made.reduce((sum, check) => sum + of(check), 0)
  const answers = total(({ answers }) => answers(allowed))
  return { requests: total(({ requests }) => requests(allowed)), answers, outputTokens: answers * allowed.maxTokens }
}

/** How one check came out. */
export interface Outcome {
  readonly name: string
  readonly skipped?: string | undefined
  /** What the two agree in, and what not: `fact: here, there`. */
  readonly agreed: ReadonlyArray<string>
  readonly differed: ReadonlyArray<string>
  readonly seen: ReadonlyArray<string>
  readonly shapes?: Difference | undefined
}

export interface Report {
  readonly outcomes: ReadonlyArray<Outcome>
  readonly transcript: Transcript
}

/** The fact of a check that ended with an error. */
const possible = "could be made"

const made = (check: Check, target: Target & { readonly log: Array<Recorded> }): Effect.Effect<Found> =>
  Effect.suspend(() => {
    target.log.length = 0
    return check.run(target).pipe(
      Effect.timeoutOrElse({
        duration: "6 minutes",
        orElse: (): Effect.Effect<Found> => Effect.succeed({ facts: { [possible]: "no, it took 6 minutes" } })
      }),
      Effect.catch((error) => Effect.succeed<Found>({ facts: { [possible]: `no, ${O1Error.label(error)}` } }))
    )
  })

const factsOf = (service: Found, fake: Found): Pick<Outcome, "agreed" | "differed"> => {
  const names = [...new Set([...Object.keys(service.facts), ...Object.keys(fake.facts)])]
  // what cannot be made at either has not been checked
  const agrees = (name: string): boolean => service.facts[name] === fake.facts[name] && name !== possible
  return {
    agreed: names.filter(agrees).map((name) => `${name}: ${service.facts[name]}`),
    differed: names.filter((name) => !agrees(name)).map((name) =>
      `${name}: ${service.facts[name] ?? "not seen"}; FakeAzure: ${fake.facts[name] ?? "not seen"}`
    )
  }
}

const secretsOf = ({ apiKey }: AzureO1Config, { filterPrompt, token }: Allowed): ReadonlyArray<string> =>
  [apiKey === undefined ? undefined : Redacted.value(apiKey), token, filterPrompt].filter((secret) =>
    secret !== undefined
  )

/** Makes every check that can be made; `tell` hears of each as it ends. */
export const run = (
  config: AzureO1Config,
  allowed: Allowed,
  http: HttpClient.HttpClient,
  options: { readonly source: string; readonly tell: (outcome: Outcome) => void }
): Effect.Effect<Report> =>
  Effect.scoped(Effect.gen(function*() {
    const service = targetOf(config, allowed, http)
    const fake = targetOf({ ...yield* twin(service), profile: service.profile }, allowed, http)
    const redact = redactor({ ...config, secrets: secretsOf(config, allowed) })
    const outcomes: Array<Outcome> = []
    const cases: Array<Transcript["cases"][number]> = []
    const recorded: Array<Transcript["recorded"][number]> = []
    for (const check of checks) {
      const skipped = check.missing?.(service)
      if (skipped === undefined) {
        const there = yield* made(check, service)
        const here = yield* made(check, fake)
        const log = service.log.filter(({ asked }) => !isPrivate(asked, allowed))
        if (there.call !== undefined) {
          const { call } = there
          const { source } = options
          cases.push(
            caseOf({ name: check.name, source, profile: there.profile ?? service.profile.name, call, log, redact })
          )
        } else if (check.name !== "verify") recorded.push({ name: check.name, exchanges: exchangesOf(log, redact) })
        const seen = Object.entries(there.seen ?? {}).map(([name, value]) => redact(`${name}: ${value}`))
        outcomes.push({ name: check.name, ...factsOf(there, here), seen, shapes: compare(service.log, fake.log) })
      } else outcomes.push({ name: check.name, skipped, agreed: [], differed: [], seen: [] })
      options.tell(outcomes.at(-1)!)
    }
    const about =
      "Heard from Azure by npm run live. Keys, hosts, names, ids and the user's own prompts are taken out. " +
      "`cases` can be played to the client again; `recorded` is what else was heard."
    return { outcomes, transcript: { about, cases, recorded } }
  }))

/** What answers a prompt of the user's is nobody's business. */
const isPrivate = (asked: unknown, { filterPrompt }: Allowed): boolean =>
  filterPrompt !== undefined && JSON.stringify(asked ?? null).includes(JSON.stringify(filterPrompt).slice(1, -1))
