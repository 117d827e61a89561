// Many calls of every kind against servers on which requests fail by chance, some of them behind a proxy that does to bytes what
// routers do. Each call must end either with exactly its own answer or with a typed error whose text so far is the beginning
// of that answer. The clock of the client goes faster than that of the servers.
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1Error } from "../../src/O1Error.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { type O1Request, user } from "../../src/O1Request.ts"
import { O1Transport } from "../../src/O1Transport.ts"
import { FakeAzure, type FakeAzureOptions, type FakeFaultKind } from "../../src/testing/index.ts"
import * as json from "../../src/wire/json.ts"
import { faster } from "./fast-clock.ts"
import { type RawProxy, rawProxy } from "./raw-proxy.ts"

const answerTo = (prompt: string): string => Array.from({ length: 12 }, (_, i) => `${prompt}.${i}`).join(" ")

/** Which call a request is of, in whichever API. */
const promptOf = (body: unknown): string =>
  String(json.at(body, "messages", 0, "content") ?? json.at(body, "input", 0, "content"))

const kinds: ReadonlyArray<FakeFaultKind> = [
  "status",
  "reset",
  "truncate",
  "malformed",
  "error",
  "flat-error",
  "null-error",
  "empty",
  "error-body",
  "page",
  "stall",
  "ping",
  "slow",
  "slow-create",
  "unreadable",
  "linger"
]

/** How fast the client's clock goes: a limit of 10 seconds is one of 0.4. */
const speed = 25

const policy = O1Policy.layerWith({
  timeout: { medium: "10 seconds" },
  idle: "10 seconds",
  backoff: "50 millis",
  throttledWait: "100 millis",
  total: "8 minutes",
  // what is soaked is the calls, not the protection of a service that fails one time in five
  breaker: { failures: 1_000_000 }
})

const clientOf = (config: AzureO1Config) =>
  AzureO1.pipe(
    Effect.provide(AzureO1.layerServices.pipe(Layer.provide(policy), Layer.provide(O1Transport.layer(config))))
  )

export interface Report {
  readonly calls: number
  readonly requests: number
  readonly faults: number
  readonly right: number
  /** Those whose callers did not wait for the end. */
  readonly left: number
  /** What the proxies did to the bytes. */
  readonly proxied: Readonly<Record<string, number>>
  readonly typed: Readonly<Record<string, number>>
  /** What must not be, in words. */
  readonly wrong: ReadonlyArray<string>
  /** Connections that are open when all is over. */
  readonly leaked: number
}

interface Options {
  readonly calls: number
  readonly rate: number
  readonly seed: number
  readonly concurrency: number
  /** Called after each call with the number of those that have ended. */
  readonly tell?: (ended: number) => void
}

interface Route {
  readonly client: AzureO1["Service"]
  readonly face: "complete" | "stream"
}

/** What a call came to: the text, and all that was said on the way. */
const ask = ({ client, face }: Route, request: O1Request): Effect.Effect<readonly [string, string], O1Error> =>
  face === "complete"
    ? Effect.map(client.complete(request), ({ text }) => [text, text])
    : Effect.map(
      Stream.runFold(client.stream(request), () => ({ whole: "", said: "" }), (so, event) =>
        event._tag === "TextDelta"
          ? { ...so, said: so.said + event.text }
          : event._tag === "Finished"
          ? { ...so, whole: event.completion.text }
          : so),
      ({ said, whole }) => [whole, said]
    )

/** A server, its requests and its connections, with or without a proxy before it. */
interface Target {
  readonly config: AzureO1Config
  readonly azure: FakeAzure["Service"]
  readonly proxy: RawProxy | undefined
}

/** Half of the faults are those of the server, half of them those of the way to it. */
const behindProxy = (options: FakeAzureOptions, soak: Options): Effect.Effect<Target, never, Scope.Scope> =>
  Effect.gen(function*() {
    const half = { ...soak, rate: soak.rate / 2 }
    const azure = yield* faulty(options, half)
    const proxy = yield* rawProxy(azure.url, half)
    return { config: { ...azure.config, endpoint: proxy.url }, azure, proxy }
  })

const direct = (options: FakeAzureOptions, soak: Options): Effect.Effect<Target, never, Scope.Scope> =>
  Effect.map(faulty(options, soak), (azure) => ({ config: azure.config, azure, proxy: undefined }))

/** Every way to make a call to a server that streams, and to one that does not. */
const clientsOf = (streams: AzureO1Config, polls: AzureO1Config) => {
  const fast = { pollInterval: "125 millis", clocks: { byteIdle: "8 seconds" } } as const
  return Effect.all([
    clientOf({ ...streams, ...fast, api: "chat" }),
    clientOf({ ...streams, ...fast, api: "responses" }),
    clientOf({ ...streams, ...fast, api: "responses", store: false }),
    clientOf({ ...streams, apiVersion: "2024-12-01-preview" }),
    clientOf({ ...polls, ...fast, api: "chat" }),
    clientOf({ ...polls, ...fast, api: "responses", store: false })
  ])
}

const faulty = (options: FakeAzureOptions, { rate, seed }: Options) =>
  Effect.map(
    Layer.build(FakeAzure.layer({
      ...options,
      reply: (body) => FakeAzure.answer(answerTo(promptOf(body))),
      faults: { rate, seed, kinds, after: 3, slow: "20 millis" }
    })),
    Context.get(FakeAzure)
  )

export const soak = (options: Options): Effect.Effect<Report> =>
  Effect.scoped(Effect.gen(function*() {
    const targets = yield* Effect.all([
      direct({}, options),
      direct({ streams: false }, options),
      behindProxy({}, options),
      behindProxy({ streams: false }, options)
    ])
    const typed: Record<string, number> = {}
    const wrong: Array<string> = []
    let right = 0
    let left = 0
    let ended = 0

    const run = Effect.gen(function*() {
      const [streams, polls, streamsFarAway, pollsFarAway] = targets
      const clients = [
        ...yield* clientsOf(streams.config, polls.config),
        ...yield* clientsOf(streamsFarAway.config, pollsFarAway.config)
      ]
      const routes = clients.flatMap((client): ReadonlyArray<Route> => [
        { client, face: "complete" },
        { client, face: "stream" }
      ])
      const one = (i: number): Effect.Effect<void> => {
        const prompt = `call-${i}`
        const expected = answerTo(prompt)
        const call = Effect.match(ask(routes[i % routes.length]!, { messages: [user(prompt)] }), {
          onSuccess: ([whole, said]) => {
            if (whole === expected && said === expected) right++
            else wrong.push(`${prompt} gave ${JSON.stringify(whole)}, and said ${JSON.stringify(said)}`)
          },
          onFailure: (error) => {
            const label = O1Error.label(error)
            typed[label] = (typed[label] ?? 0) + 1
            if (!expected.startsWith(error.partialText)) {
              wrong.push(`${prompt} failed as ${label} after ${JSON.stringify(error.partialText)}`)
            }
          }
        })
        // some callers do not wait, so that there is something to cancel
        if (i % 29 === 28) {
          return Effect.map(Effect.timeoutOption(call, "500 millis"), (ended) => {
            if (Option.isNone(ended)) left++
          })
        }
        return Effect.timeoutOrElse(call, {
          duration: "30 minutes",
          orElse: () => Effect.sync(() => void wrong.push(`${prompt} did not end`))
        })
      }
      const told = Effect.sync(() => options.tell?.(++ended))
      yield* Effect.forEach(
        Array.from({ length: options.calls }, (_, i) => i),
        (i) => Effect.andThen(one(i), told),
        { concurrency: options.concurrency, discard: true }
      )
    })
    // what is learnt and what cannot be cancelled is told in the log, here a thousand times
    yield* faster(speed)(Effect.provide(run, [AzureO1Node.layerHttpClient, Logger.layer([])]))

    // the layer of the client is closed: what it leaves open now is a leak, once the servers have noticed
    const connections = Effect.map(
      Effect.all(targets.map(({ azure }) => azure.connections)),
      (direct) => sum([...direct, ...targets.map(({ proxy }) => proxy?.open() ?? 0)])
    )
    const leaked = yield* Effect.repeat(Effect.delay(connections, "10 millis"), {
      until: (n) => n === 0,
      times: 1000
    })
    const requests = (yield* Effect.all(targets.map(({ azure }) => azure.requests))).flat()
    const proxied: Record<string, number> = {}
    for (const { proxy } of targets) {
      for (const [kind, n] of Object.entries(proxy?.done() ?? {})) proxied[kind] = (proxied[kind] ?? 0) + n
    }
    return {
      calls: options.calls,
      requests: requests.length,
      faults: requests.filter(({ fault }) => fault !== undefined).length,
      proxied,
      right,
      left,
      typed,
      wrong,
      leaked
    }
  }))

/** The verdict in a sentence. */
export const verdict = ({ calls, leaked, left, right, typed, wrong }: Report): string => {
  const failed = sum(Object.values(typed))
  const missing = calls - right - failed - left
  if (wrong.length === 0 && missing === 0 && leaked === 0) {
    return `All ${calls} calls ended with their own answer (${right}), with a typed error (${failed}), or because their caller ` +
      `left (${left}), and no connection is open.`
  }
  return `NOT all calls ended with their own answer or a typed error: ${
    wrong.length + missing
  } of ${calls} did not, and ` +
    `${leaked} connections are open.`
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((a, b) => a + b, 0)
