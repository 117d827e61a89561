// Many calls of every kind against servers on which requests fail by chance. Each call must end either with exactly its own
// answer or with a typed error whose text so far is the beginning of that answer.
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
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
  "linger"
]

const policy = O1Policy.layerWith({
  timeout: { medium: "400 millis" },
  idle: "400 millis",
  backoff: "2 millis",
  throttledWait: "5 millis",
  total: "20 seconds",
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
    const servers = yield* Effect.all([faulty({}, options), faulty({ streams: false }, options)])
    const typed: Record<string, number> = {}
    const wrong: Array<string> = []
    let right = 0

    const run = Effect.gen(function*() {
      const [streams, polls] = servers
      const fast = { pollInterval: "5 millis" } as const
      const clients = yield* Effect.all([
        clientOf({ ...streams.config, ...fast, api: "chat" }),
        clientOf({ ...streams.config, ...fast, api: "responses" }),
        clientOf({ ...streams.config, ...fast, api: "responses", store: false }),
        clientOf({ ...streams.config, apiVersion: "2024-12-01-preview" }),
        clientOf({ ...polls.config, ...fast, api: "chat" }),
        clientOf({ ...polls.config, ...fast, api: "responses", store: false })
      ])
      const routes = clients.flatMap((client): ReadonlyArray<Route> => [
        { client, face: "complete" },
        { client, face: "stream" }
      ])
      yield* Effect.forEach(Array.from({ length: options.calls }, (_, i) => i), (i) => {
        const prompt = `call-${i}`
        const expected = answerTo(prompt)
        return Effect.match(ask(routes[i % routes.length]!, { messages: [user(prompt)] }), {
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
      }, { concurrency: options.concurrency, discard: true })
    })
    yield* Effect.provide(run, AzureO1Node.layerHttpClient)

    // the layer of the client is closed: what it leaves open now is a leak, once the server has noticed
    const connections = Effect.map(Effect.all(servers.map(({ connections }) => connections)), sum)
    const leaked = yield* Effect.repeat(Effect.delay(connections, "10 millis"), {
      until: (n) => n === 0,
      times: 200
    })
    const requests = (yield* Effect.all(servers.map(({ requests }) => requests))).flat()
    return {
      calls: options.calls,
      requests: requests.length,
      faults: requests.filter(({ fault }) => fault !== undefined).length,
      right,
      typed,
      wrong,
      leaked
    }
  }))

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((a, b) => a + b, 0)
