import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Metric from "effect/Metric"
import { provider } from "../client/tracing.ts"
import type { AttemptObservation, CallObservation, ConnectionObservation, O1Observation } from "../O1Observation.ts"
import { catalogue, type Definition, type Id } from "./catalogue.ts"
import { Names } from "./names.ts"

type Labels = Readonly<Record<string, string>>

const metricOf = (id: Id): Metric.Metric<number, unknown> => {
  const { boundaries = [], description, kind, unit }: Definition = catalogue[id]
  const attributes = { unit }
  return kind === "counter"
    ? Metric.counter(id, { description, attributes, incremental: true })
    : Metric.histogram(id, { description, attributes, boundaries })
}

/** The class of an error, without its kind. */
const classOf = (outcome: string): string => outcome.split("/")[0]!

/** Every class of errors, and what is none. */
const outcomes = [
  "success",
  "interrupted",
  "defect",
  "O1TimeoutError",
  "O1RateLimitError",
  "O1ServerError",
  "O1ConnectionError",
  "O1RequestError",
  "O1AuthError",
  "O1DeploymentError",
  "O1ContentFilterError",
  "O1ProtocolError",
  "O1OutputLimitError",
  "O1RejectedError"
]

const kindsOfTokens = ["input", "output", "reasoning", "cached"]

/** Writes observations into metrics. A label is a name of the configuration or a word of this library, never a part of a prompt or an answer. */
export class Meter {
  private readonly context: Context.Context<never>
  private readonly attributes: Labels
  private readonly metrics = new Map<Id, Metric.Metric<number, unknown>>()
  private readonly deployments: Names
  private readonly models: Names
  private readonly origins: Names
  private readonly outcomes: Names
  private readonly begun = new Set<string>()

  constructor(context: Context.Context<never>, maxNames: number) {
    this.context = context
    this.attributes = Context.get(context, Metric.CurrentMetricAttributes)
    this.deployments = new Names(maxNames)
    this.models = new Names(maxNames)
    this.origins = new Names(maxNames)
    this.outcomes = new Names(maxNames)
  }

  readonly observe = (observation: O1Observation): void => {
    switch (observation._tag) {
      case "Call":
        return this.call(observation)
      case "Attempt":
        return this.attempt(observation)
      case "Connection":
        return this.connection(observation)
    }
  }

  private call({ deployment: name, firstOutput, model, outcome, total, usage }: CallObservation): void {
    const deployment = this.deployments.of(name)
    this.begin(deployment)
    const chat = {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": provider,
      "gen_ai.request.model": deployment,
      ...model === undefined || model === "" ? {} : { "gen_ai.response.model": this.models.of(model) }
    }
    const ended = outcome === "success" ? chat : { ...chat, "error.type": this.outcomes.of(outcome) }
    this.add("gen_ai.client.operation.duration", Duration.toSeconds(total), ended)
    if (firstOutput !== undefined) {
      this.add("gen_ai.client.operation.time_to_first_chunk", Duration.toSeconds(firstOutput), ended)
    }
    this.add("o1.calls", 1, { deployment, outcome: classOf(outcome) })
    if (usage === undefined) return
    const { cachedInput: cached, input, output, reasoning } = usage
    for (const [type, count] of Object.entries({ input, output })) {
      this.add("gen_ai.client.token.usage", count, { ...chat, "gen_ai.token.type": type })
    }
    for (const [type, count] of Object.entries({ input, output, reasoning, cached })) {
      this.add("o1.tokens", count, { deployment, type })
    }
  }

  private attempt({ deployment: name, outcome, total, transport }: AttemptObservation): void {
    const deployment = this.deployments.of(name)
    this.begin(deployment)
    this.add("o1.attempts", 1, { deployment, outcome: classOf(outcome), transport: transport ?? "none" })
    this.add("o1.attempt.duration", Duration.toSeconds(total), { deployment, outcome: classOf(outcome) })
  }

  private connection({ duration, failed, origin: name }: ConnectionObservation): void {
    const origin = this.origins.of(name)
    this.once(`origin ${origin}`, () => {
      for (const outcome of ["made", "failed"]) this.add("o1.connections", 0, { origin, outcome })
    })
    this.add("o1.connections", 1, { origin, outcome: failed ? "failed" : "made" })
    if (!failed) this.add("o1.connection.duration", Duration.toSeconds(duration), { origin })
  }

  /** A deployment is there: its counters begin with zero, so that an alert sees the first failure. */
  begin(deployment: string): void {
    this.once(`deployment ${deployment}`, () => {
      for (const outcome of outcomes) this.add("o1.calls", 0, { deployment, outcome })
      for (const type of kindsOfTokens) this.add("o1.tokens", 0, { deployment, type })
    })
  }

  private once(key: string, begin: () => void): void {
    if (this.begun.has(key)) return
    this.begun.add(key)
    begin()
  }

  private add(id: Id, input: number, labels: Labels): void {
    let metric = this.metrics.get(id)
    if (metric === undefined) this.metrics.set(id, metric = metricOf(id))
    metric.updateUnsafe(
      input,
      Context.add(this.context, Metric.CurrentMetricAttributes, { ...this.attributes, ...labels })
    )
  }
}
