import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as AzureO1Config from "../AzureO1Config.ts"
import * as Credential from "../Credential.ts"
import { type O1Error, O1ProtocolError } from "../O1Error.ts"
import * as connections from "../transport/connection.ts"
import * as json from "../wire/json.ts"
import { describe } from "./finding.ts"
import type { Managed, Unread } from "./managed.ts"
import type { Management } from "./model.ts"
import { remembering } from "./probe.ts"

const apiVersion = "2024-10-01"

/** A list in more pages than this is not read to the end. */
const mostPages = 10

const unread = (what: Unread["what"], detail: string, status?: number): Unread => ({ what, detail, status })

const fromError = (error: O1Error): Unread =>
  unread(error._tag === "O1AuthError" && error.status === undefined ? "token" : "error", error.message, error.status)

const credentialOf = (
  { credential, token }: Management,
  config: AzureO1Config.AzureO1Config
): Credential.TokenCredential | undefined =>
  token === undefined
    ? credential ?? config.credential
    : { getToken: () => Promise.resolve({ token: Redacted.value(token), expiresOnTimestamp: Infinity }) }

/** Reads what the management plane knows of the deployment and of the account's models. */
export const read = (
  management: Management,
  config: AzureO1Config.AzureO1Config,
  client: HttpClient.HttpClient,
  limit: Duration.Duration,
  secrets: Set<string>
): Effect.Effect<Managed> => {
  const { account, resourceGroup, subscription } = management
  const { cloud = "public", deployment } = config
  const scope = Credential.scopeOf(cloud, "management")
  const endpoint = (management.endpoint ?? scope.replace(/\/\.default$/, "")).replace(/\/+$/, "")
  const none = (why: Unread): Effect.Effect<Managed> =>
    Effect.succeed({ deployment: Result.fail(why), models: Result.fail(why) })

  const given = credentialOf(management, config)
  if (given === undefined) return none(unread("settings", "management has no credential and no token."))
  const credential = remembering(given, secrets)
  const [problem] = AzureO1Config.problems({ endpoint, deployment, credential })
  if (problem !== undefined) return none(unread("settings", `management.endpoint ${problem.problem}.`))

  const connection = connections.make({ endpoint, deployment, credential, scope }, client)
  const root = `${endpoint}/subscriptions/${encodeURIComponent(subscription)}/resourceGroups/${
    encodeURIComponent(resourceGroup)
  }/providers/Microsoft.CognitiveServices/accounts/${encodeURIComponent(account)}`

  const get = (url: string): Effect.Effect<unknown, O1Error> =>
    connection.send({ method: "GET", url, accept: "application/json", transport: "plain" }).pipe(
      Effect.flatMap(connection.text),
      Effect.flatMap((text) => {
        const body = json.parse(text)
        return body === undefined ? Effect.fail(new O1ProtocolError({ kind: "malformed" })) : Effect.succeed(body)
      }),
      Effect.scoped
    )

  const pages = Effect.gen(function*() {
    const found: Array<unknown> = []
    let url: string | undefined = `${root}/models?api-version=${apiVersion}`
    for (let page = 0; page < mostPages && url !== undefined; page++) {
      const body: unknown = yield* get(url)
      found.push(...json.array(json.at(body, "value")))
      const next = json.string(json.at(body, "nextLink"))
      // the token goes nowhere else, whatever the list says of its next page
      url = next?.startsWith(`${endpoint}/`) ? next : undefined
    }
    return found
  })

  const bounded = <A>(self: Effect.Effect<A, O1Error>): Effect.Effect<Result.Result<A, Unread>> =>
    self.pipe(
      Effect.mapError(fromError),
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(unread("timeout", `Nothing came within ${Duration.format(limit)}.`))
      }),
      Effect.catchDefect((defect) => Effect.fail(unread("surprise", describe(defect)))),
      Effect.result
    )

  return Effect.all({
    deployment: bounded(get(`${root}/deployments/${encodeURIComponent(deployment)}?api-version=${apiVersion}`)),
    models: bounded(pages)
  }, { concurrency: "unbounded" })
}
