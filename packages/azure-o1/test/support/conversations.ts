// Plays a whole conversation of a case file to the client, over real sockets, and says in the neutral words of the file what
// the client made of it.
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import type { CallOptions } from "../../src/O1Client.ts"
import type { O1Completion } from "../../src/O1Completion.ts"
import { O1Error } from "../../src/O1Error.ts"
import type { O1Event } from "../../src/O1Event.ts"
import { O1Policy, type O1PolicySettings } from "../../src/O1Policy.ts"
import type { O1Request } from "../../src/O1Request.ts"
import { O1Transport } from "../../src/O1Transport.ts"
import { patient } from "./azure.ts"
import { request as hello } from "./harness.ts"
import { type Action, type Exchange, type RawServer, rawServer } from "./raw-server.ts"

/** One answer of a conversation, as the case files write it. */
export interface Told {
  readonly on: string
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
  /** The connection is destroyed after the body. */
  readonly cut?: boolean
}

export interface Conversation {
  readonly name: string
  readonly api: "chat" | "responses"
  readonly src?: string
  readonly note?: string
  readonly config?: Partial<AzureO1Config>
  /** The name of the model whose profile the client has; o4-mini if absent. */
  readonly profile?: string
  readonly exchanges: ReadonlyArray<Told>
  readonly expect: Expected
}

/** What a careful client makes of it; a field that is absent is not looked at. */
export interface Expected {
  /** `success`, `success-truncated`, `refusal`, or `error:` and a neutral name. */
  readonly outcome: string
  readonly text?: string
  /** What the deltas of the text say, where that is not the text. */
  readonly said?: string
  readonly commentary?: string
  readonly reasoning?: string
  readonly refusal?: string
  readonly finish?: string
  readonly toolCalls?: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>
  readonly usage?: { readonly input: number; readonly output: number; readonly reasoning: number } | null
}

export const exchangeOf = ({ body, cut, headers = {}, on, status }: Told): Exchange => {
  const told: Action = async (turn) => {
    const whole = cut === true ? {} : { "content-length": `${Buffer.byteLength(body)}` }
    await turn.head(status, { ...headers, ...whole })
    await turn.body(body)
    await (cut === true ? turn.cut("rst") : turn.end())
  }
  return { on, does: [told] }
}

/** A client of that address, with the whole policy. */
export const clientAt = (
  url: string,
  config: Partial<AzureO1Config> = {},
  settings: O1PolicySettings = patient
): Layer.Layer<AzureO1> =>
  AzureO1.layerServices.pipe(
    Layer.provideMerge(O1Policy.layerWith(settings)),
    Layer.provide(O1Transport.layer({
      endpoint: url,
      apiKey: Redacted.make("fake-key"),
      deployment: "o1",
      profile: ModelProfile.o4Mini,
      pollInterval: "5 millis",
      ...config
    })),
    Layer.provide(AzureO1Node.layerHttpClient)
  )

/** A server of these exchanges, and a client of it. */
export const talking = <A, E, R>(
  exchanges: ReadonlyArray<Exchange>,
  f: (o1: AzureO1["Service"], server: RawServer) => Effect.Effect<A, E, R>,
  options: { readonly config?: Partial<AzureO1Config>; readonly settings?: O1PolicySettings } = {}
): Effect.Effect<A, E, R> =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* rawServer(...exchanges)
    return yield* Effect.flatMap(AzureO1, (o1) => f(o1, server)).pipe(
      Effect.provide(clientAt(server.url, options.config, options.settings))
    )
  })) as Effect.Effect<A, E, R>

/** How a call came out, through whichever face it was made. */
export interface Outcome {
  readonly completion: O1Completion | undefined
  readonly error: O1Error | undefined
  /** What the stream said; of `complete` none. */
  readonly events: ReadonlyArray<O1Event>
  /** What was asked of the server. */
  readonly asked: ReadonlyArray<string>
}

export const outcomeOf = (
  o1: AzureO1["Service"],
  face: "complete" | "stream",
  request: O1Request = hello,
  options: CallOptions = {}
): Effect.Effect<Omit<Outcome, "asked">> => {
  const events: Array<O1Event> = []
  const ended = face === "complete"
    ? Effect.map(o1.complete(request, options), (completion): O1Completion | undefined => completion)
    : Effect.map(
      Stream.runForEach(o1.stream(request, options), (event) => Effect.sync(() => void events.push(event))),
      () => events.flatMap((event) => event._tag === "Finished" ? [event.completion] : []).at(-1)
    )
  return Effect.match(ended, {
    onFailure: (error) => ({ completion: undefined, error, events }),
    onSuccess: (completion) => ({ completion, error: undefined, events })
  })
}

/** Plays a conversation through one face of the client. */
export const converse = (
  { api, config, exchanges, profile }: Conversation,
  face: "complete" | "stream",
  options: { readonly settings?: O1PolicySettings; readonly request?: O1Request; readonly call?: CallOptions } = {}
): Effect.Effect<Outcome> =>
  talking(
    exchanges.map(exchangeOf),
    (o1, server) =>
      Effect.map(outcomeOf(o1, face, options.request, options.call), (outcome) => ({
        ...outcome,
        asked: server.asked()
      })),
    {
      config: { api, profile: ModelProfile.forModel(profile ?? "o4-mini"), ...config },
      ...options.settings === undefined ? {} : { settings: options.settings }
    }
  )

/** The text that the events have said, for the caller who shows it as it comes. */
export const said = (events: ReadonlyArray<O1Event>): string =>
  events.map((event) => event._tag === "TextDelta" ? event.text : "").join("")

const neutral: Readonly<Record<string, string>> = {
  "O1RateLimitError/requests": "RateLimited",
  "O1RateLimitError/tokens": "RateLimited",
  "O1RateLimitError/capacity": "Overloaded",
  "O1RateLimitError/quota": "QuotaExceeded",
  "O1RateLimitError/request-exceeds-limit": "RequestExceedsRateLimit",
  "O1ServerError/internal": "ServerError",
  "O1ServerError/not-implemented": "ServerError",
  "O1ServerError/unavailable": "Unavailable",
  "O1ServerError/upstream": "UpstreamFailure",
  "O1ServerError/conflict": "Conflict",
  "O1TimeoutError/service": "ServiceTimeout",
  "O1TimeoutError/gateway": "GatewayTimeout",
  "O1AuthError/unauthorized": "Unauthorized",
  "O1AuthError/token-expired": "Unauthorized",
  "O1AuthError/forbidden": "Forbidden",
  "O1DeploymentError/deployment-not-found": "DeploymentNotFound",
  "O1DeploymentError/endpoint-not-found": "EndpointNotFound",
  "O1ContentFilterError/prompt": "ContentFiltered",
  "O1ContentFilterError/completion": "ContentFiltered",
  "O1ConnectionError/client-closed": "ClientClosedRequest",
  "O1ProtocolError/truncated": "StreamTruncated",
  "O1ProtocolError/malformed": "MalformedStream",
  "O1ProtocolError/unexpected-content-type": "UnexpectedContentType",
  "O1OutputLimitError/reasoning-exhausted": "ReasoningBudgetExhausted",
  "O1RequestError/invalid": "InvalidRequest",
  "O1RequestError/context-length": "ContextLengthExceeded",
  "O1RequestError/too-large": "RequestTooLarge"
}

const pascal = (kind: string): string =>
  kind.replaceAll(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())

/** The neutral name of an error; the kinds of a bad request have their own. */
const neutralOf = (error: O1Error): string => {
  const label = O1Error.label(error)
  return neutral[label] ?? (label.startsWith("O1RequestError/") ? pascal(label.split("/")[1]!) : label)
}

/** What came out, in the words of the file, as far as `expect` looks. */
export const told = ({ completion, error }: Outcome, expect: Expected): Partial<Expected> => {
  const { text, usage } = completion ?? { text: error?.partialText ?? "", usage: undefined }
  const outcome = error !== undefined
    ? `error:${neutralOf(error)}`
    : completion?.refusal !== undefined
    ? "refusal"
    : completion?.finishReason === "length"
    ? "success-truncated"
    : completion?.finishReason === "unknown"
    ? "success-unknown-finish"
    : "success"
  const all = {
    outcome,
    text,
    finish: completion?.finishReason,
    toolCalls: completion?.toolCalls.map(({ arguments: args, id, name }) => ({ id, name, arguments: args })),
    usage: usage === undefined
      ? null
      : { input: usage.input, output: usage.output, reasoning: usage.reasoning },
    commentary: completion?.commentary,
    reasoning: completion?.reasoning,
    refusal: completion?.refusal
  }
  return Object.fromEntries(Object.entries(all).filter(([field]) => field in expect))
}
