import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as Redacted from "effect/Redacted"
import type { AzureO1Config } from "../AzureO1Config.ts"
import { secretHeaders, secretsOf, textOf } from "../config/headers.ts"
import { pathsOf } from "../config/paths.ts"
import * as Credential from "../Credential.ts"
import { O1Error } from "../O1Error.ts"
import { CurrentCall } from "./call.ts"
import { CurrentWatch } from "./watch.ts"

/** What lets a request in: the value of its header, and what has to be kept out of everything that is printed. */
export interface Pass {
  readonly value: string
  readonly secret: string
  /** All that is secret in a request with it, the longest first. */
  readonly secrets: ReadonlyArray<string>
}

/** How requests to one deployment are made: who is let in, what they carry, and what of it nobody may see. */
export interface Sending {
  readonly pass: Effect.Effect<Pass, O1Error>
  /** After one that was refused: another that may do better, if there is such. */
  readonly another: (refused: Pass) => Effect.Effect<Pass | undefined, O1Error>
  readonly headers: (pass: Pass, accept: string, id: string, hasBody: boolean) => Headers.Headers
  /** The names of headers whose values are secret. */
  readonly secretNames: ReadonlyArray<string>
  /** Takes all secrets out of a text. */
  readonly redact: (pass: Pass) => (text: string) => string
}

/** Azure's firewalls know clients without a name for robots. */
const userAgent = "effect-resilience-azure-o1"

const passes = (config: AzureO1Config, bearer: boolean): Pick<Sending, "another" | "pass"> => {
  const { apiKey, apiVersion, cloud = "public", credential, scope, tokenTimeout } = config
  const others = secretsOf(config)
  const passOf = (secret: string): Pass => ({
    value: bearer ? `Bearer ${secret}` : secret,
    secret,
    // one may be a part of another
    secrets: [secret, ...others].toSorted((a, b) => b.length - a.length)
  })
  if (credential === undefined) {
    return { pass: Effect.succeed(passOf(Redacted.value(apiKey!))), another: () => Effect.undefined }
  }
  const { another, get } = Credential.sharedTokens(
    credential,
    scope ?? Credential.scopeOf(cloud, apiVersion === undefined ? "v1" : "dated"),
    { timeout: tokenTimeout }
  )
  const explained = <A>(ask: (isCut: () => boolean) => Effect.Effect<A, O1Error>) =>
    Effect.withFiber<A, O1Error>((fiber) => {
      const watch = fiber.getRef(CurrentWatch)
      const waiting = [watch, fiber.getRef(CurrentCall)]
      const signsIn = (now: boolean): void => {
        for (const who of waiting) if (who !== undefined) who.signsIn = now
      }
      signsIn(true)
      return Effect.mapBoth(ask(() => watch?.isCut === true), {
        onSuccess: (token) => {
          signsIn(false)
          return token
        },
        onFailure: (error) => {
          signsIn(false)
          return O1Error.with(error, { deployment: config.deployment })
        }
      })
    })
  return {
    pass: explained((isCut) => Effect.map(get(isCut), passOf)),
    another: ({ secret }) =>
      explained((isCut) =>
        Effect.map(another(secret, isCut), (token) => token === undefined ? undefined : passOf(token))
      )
  }
}

export const make = (config: AzureO1Config): Sending => {
  const { apiKeyHeader = pathsOf(config) === "openai" ? "authorization" : "api-key", credential } = config
  const passHeader = credential === undefined ? apiKeyHeader.toLowerCase() : "authorization"
  const given = Object.fromEntries(
    Object.entries(config.headers ?? {}).map(([name, value]) => [name.toLowerCase(), textOf(value)])
  )
  const always = {
    ...given,
    "accept-encoding": "gzip",
    "user-agent": given["user-agent"] === undefined ? userAgent : `${given["user-agent"]} ${userAgent}`
  }
  return {
    ...passes(config, passHeader === "authorization"),
    headers: ({ value }, accept, id, hasBody) =>
      Headers.fromRecordUnsafe({
        ...always,
        ...hasBody ? { "content-type": "application/json" } : {},
        accept,
        "x-ms-client-request-id": id,
        [passHeader]: value
      }),
    secretNames: ["api-key", "authorization", passHeader, ...secretHeaders(config)],
    redact: ({ secrets }) => (text) => secrets.reduce((text, secret) => text.replaceAll(secret, "<redacted>"), text)
  }
}
