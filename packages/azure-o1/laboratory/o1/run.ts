/** One run: a workload meets a deployment through the client of production, in virtual time. */
import {
  AzureO1,
  type O1Client,
  O1Error,
  O1Policy,
  type O1PolicySettings,
  type O1Request,
  O1Transport
} from "@effect-resilience/azure-o1"
import { O1Quota } from "@effect-resilience/azure-o1/quota"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { drawOf, randomOf } from "./draws.ts"
import { hanging } from "./hanging.ts"
import { costOf, Service } from "./service.ts"
import { type Workload, workloads } from "./workloads.ts"
import { World } from "./world.ts"

/** What a program decides: plain data. */
export interface Choice {
  readonly settings?: O1PolicySettings
  /** The quota that calls wait for, if they do. */
  readonly quota?: { readonly maxWait?: Duration.Input }
  readonly maxCompletionTokens?: number
  readonly moreTokens?: number
  /** Silent attempts that open a circuit of its own, as `hangsAfter` does in core. */
  readonly hangs?: number
}

export interface Found {
  /** Shares and numbers of all calls. */
  readonly success: number
  /** Milliseconds: until the end of a call, answered or not; of what was answered. */
  readonly wait: number
  readonly p50: number
  readonly p99: number
  /** Dollars for each answer that was received, and the share of what was billed that nobody received. */
  readonly money: number
  readonly wasted: number
  /** Requests for an answer, for each call, and the share that was refused for the quota. */
  readonly requests: number
  readonly refused: number
  /** Of the worst minute, against a usual one. */
  readonly peak: number
  readonly failures: Readonly<Record<string, number>>
}

interface Ended {
  readonly took: number
  readonly cost: number
  readonly error: string | undefined
}

const quantile = (sorted: ReadonlyArray<number>, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN

const summary = (ended: ReadonlyArray<Ended>, service: Service, { duration }: Workload): Found => {
  const answered = ended.filter(({ error }) => error === undefined)
  const times = answered.map(({ took }) => took).toSorted((a, b) => a - b)
  const useful = answered.reduce((sum, { cost }) => sum + cost, 0)
  const failures: Record<string, number> = {}
  for (const { error } of ended) if (error !== undefined) failures[error] = (failures[error] ?? 0) + 1
  const minutes = duration / 60_000
  return {
    success: answered.length / ended.length,
    wait: ended.reduce((sum, { took }) => sum + took, 0) / ended.length,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    money: service.billed / answered.length,
    wasted: 1 - useful / service.billed,
    requests: service.requests / ended.length,
    refused: service.refused / service.requests,
    peak: Math.max(...Array.from(service.perMinute, (n: number | undefined) => n ?? 0)) * minutes / ended.length,
    failures
  }
}

/** The client of one process. */
const clientOf = (
  { hangs, quota, settings = {} }: Choice,
  workload: Workload,
  service: Service,
  context: Context.Context<never>
): O1Client => {
  const transport = O1Transport.layer({
    endpoint: "https://lab.openai.azure.com",
    apiKey: Redacted.make("none"),
    deployment: "o1",
    api: workload.kept ? "responses" : "chat",
    store: workload.kept,
    pollInterval: "8 seconds"
  })
  const inside = O1Policy.layerWith(settings)
  const policy = hangs === undefined ? inside : Layer.provide(hanging(hangs), inside)
  const waiting = quota === undefined
    ? policy
    : Layer.provide(O1Quota.layerServices(quota), policy)
  const layer = Layer.fresh(AzureO1.layerServices).pipe(
    Layer.provide(waiting),
    Layer.provide(transport),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, service.client))
  )
  const built = Effect.runSyncWith(context)(Layer.buildWithScope(layer, Scope.makeUnsafe()))
  return Context.get(built, AzureO1)
}

const messages: O1Request["messages"] = [{ role: "user", content: "How many roads must a man walk down?" }]

const play = (workloadName: string, choice: Choice, seed: number): Found => {
  const workload = workloads[workloadName]!
  const world = new World()
  const random = randomOf(seed, "client")
  const context = Context.empty().pipe(
    Context.add(Clock.Clock, world.clock),
    Context.add(Scheduler.Scheduler, world.scheduler),
    Context.add(Random.Random, random),
    Context.add(References.MinimumLogLevel, "None")
  )
  const draw = drawOf(seed, "calls")
  const next = workload.load.open(drawOf(seed, "arrivals"))
  const arrivals: Array<number> = []
  for (let at = next(0); at < workload.duration; at = next(at)) arrivals.push(at)
  const prompts = arrivals.map((_, i) => workload.prompt(draw, i))
  const service = new Service(world, drawOf(seed, "service"), { ...workload, prompts })
  const clients = Array.from({ length: workload.processes }, () => clientOf(choice, workload, service, context))
  const maxCompletionTokens = choice.maxCompletionTokens ?? workload.maxCompletionTokens
  const ended: Array<Ended> = []
  const { moreTokens } = choice
  const call = (i: number, at: number): void => {
    if (i + 1 < arrivals.length) world.at(arrivals[i + 1]!, () => call(i + 1, arrivals[i + 1]!))
    const request: O1Request = {
      messages,
      user: String(i),
      reasoningEffort: prompts[i]!.effort,
      maxCompletionTokens
    }
    const calling = clients[i % clients.length]!.complete(request, moreTokens === undefined ? {} : { moreTokens })
    Effect.runForkWith(context)(calling).addObserver((exit) => {
      const usage = Exit.isSuccess(exit) ? exit.value.usage : undefined
      ended.push({
        took: world.now - at,
        cost: usage === undefined ? 0 : costOf({ prompt: usage.input, completion: usage.output }),
        error: Exit.isSuccess(exit) ? undefined : O1Error.label(Option.getOrUndefined(Exit.findErrorOption(exit)))
      })
    })
  }
  if (arrivals.length > 0) world.at(arrivals[0]!, () => call(0, arrivals[0]!))
  world.run(workload.duration + 4 * 3_600_000)
  if (ended.length < arrivals.length) throw new Error(`${arrivals.length - ended.length} calls never ended`)
  return summary(ended, service, workload)
}

export const run = (workload: string, choice: Choice, seed: number): Found => {
  // the traces of errors that nobody reads would be half of the work
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return play(workload, choice, seed)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}
