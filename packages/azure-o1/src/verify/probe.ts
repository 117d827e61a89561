import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as AzureO1Config from "../AzureO1Config.ts"
import type * as Credential from "../Credential.ts"
import * as ModelProfile from "../ModelProfile.ts"
import type { O1Completion } from "../O1Completion.ts"
import { type O1Error, O1TimeoutError } from "../O1Error.ts"
import { type O1Request, user } from "../O1Request.ts"
import { O1Transport } from "../O1Transport.ts"
import * as connections from "../transport/connection.ts"
import { chatUrl, responsesUrls } from "../transport/paths.ts"
import * as errors from "../wire/errors.ts"
import * as json from "../wire/json.ts"
import { describe } from "./finding.ts"

/** The beginning of one answer. Times in milliseconds since the epoch. */
export interface Answered {
  readonly status: number
  readonly headers: Headers.Headers
  readonly sentAt: number
  readonly receivedAt: number
}

/** How the question to the deployment ended. Without `error`, `surprise` and `completion`, it was accepted. */
export interface Probe {
  readonly kind: "cheap" | "real"
  /** The requests that went out, answered or not. */
  readonly sent: number
  readonly answers: ReadonlyArray<Answered>
  readonly error?: O1Error | undefined
  readonly completion?: O1Completion | undefined
  /** What a bug said of itself, in the client or in what it was given. */
  readonly surprise?: string | undefined
}

/** The exchanges on the wire, of all senders. */
class Log {
  sent = 0
  readonly answers: Array<Answered> = []
  private sentAt = 0

  readonly watch = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
    client.pipe(
      HttpClient.tapRequest(() =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          this.sent++
          this.sentAt = now
        })
      ),
      HttpClient.tap(({ headers, status }) =>
        Effect.map(Clock.currentTimeMillis, (receivedAt) => {
          this.answers.push({ status, headers, sentAt: this.sentAt, receivedAt })
        })
      )
    )
}

/** A credential whose tokens are known afterwards, so that they can be kept out of what is told. */
export const remembering = (
  credential: Credential.TokenCredential,
  secrets: Set<string>
): Credential.TokenCredential => ({
  getToken: async (scopes, options) => {
    const token = await credential.getToken(scopes, options)
    if (token !== null) secrets.add(token.token)
    return token
  }
})

/**
 * A request that the deployment has to refuse, and that only the deployment does: a request that gets that far is let in. The limit of
 * the Responses API's is below what it takes, so that it is refused even where no input should be accepted.
 */
const invalid = (config: AzureO1Config.AzureO1Config): { readonly url: string; readonly body: unknown } => {
  const { apiVersion, deployment: model } = config
  return AzureO1Config.apiOf(config) === "responses"
    ? { url: responsesUrls(config)(""), body: { model, input: [], max_output_tokens: 1, store: false } }
    : { url: chatUrl(config), body: { ...apiVersion === undefined ? { model } : {}, messages: [] } }
}

const cheap = (
  config: AzureO1Config.AzureO1Config,
  client: HttpClient.HttpClient
): Effect.Effect<undefined, O1Error> =>
  Effect.gen(function*() {
    const connection = connections.make(config, client)
    const { body, url } = invalid(config)
    const received = yield* connection.send({
      method: "POST",
      url,
      body: JSON.stringify(body),
      accept: "application/json",
      transport: "plain"
    })
    const text = yield* connection.text(received)
    // some gateways answer every error with 200
    if (errors.isErrorBody(json.parse(text))) return yield* errors.fromResponse({ ...received.origin, body: text })
  }).pipe(Effect.scoped, Effect.as(undefined))

/** Room to reason in: a budget that is too small calls a healthy deployment down. One unit of o1's capacity admits it. */
const budget = 4096

const smallRequest = ({ efforts, outputTokens = budget }: ModelProfile.ModelProfile): O1Request => ({
  messages: [user("Reply with the word: ready")],
  maxCompletionTokens: Math.min(budget, outputTokens),
  ...efforts.includes("low") ? { reasoningEffort: "low" } : {}
})

/** Nothing is kept by the service, so that the ladder has two rungs: a stream, and an answer in one piece. */
const real = (
  config: AzureO1Config.AzureO1Config,
  client: HttpClient.HttpClient
): Effect.Effect<O1Completion, O1Error> =>
  O1Transport.make({ ...config, store: false, heal: false }).pipe(
    Effect.flatMap((transport) => transport.complete(smallRequest(config.profile ?? ModelProfile.o1))),
    Effect.provideService(HttpClient.HttpClient, client)
  )

/** Asks the deployment, and gives what came of it, within the limit. */
export const probe = (
  kind: Probe["kind"],
  config: AzureO1Config.AzureO1Config,
  client: HttpClient.HttpClient,
  limit: Duration.Duration
): Effect.Effect<Probe> =>
  Effect.suspend(() => {
    const log = new Log()
    const ask = kind === "cheap" ? cheap : real
    const seen = (rest: Partial<Probe>): Probe => ({ kind, sent: log.sent, answers: [...log.answers], ...rest })
    return ask(config, log.watch(client)).pipe(
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(new O1TimeoutError({ kind: "total", limit, deployment: config.deployment }))
      }),
      Effect.match({
        onFailure: (error) => seen({ error }),
        onSuccess: (completion) => seen({ completion })
      }),
      Effect.catchDefect((defect) => Effect.sync(() => seen({ surprise: describe(defect) })))
    )
  })
