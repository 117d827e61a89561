import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type AzureO1Config, hasBackground } from "../AzureO1Config.ts"
import * as ModelProfile from "../ModelProfile.ts"
import { O1RequestError } from "../O1Error.ts"
import { O1Request } from "../O1Request.ts"
import { ownedField } from "../wire/body.ts"
import * as json from "../wire/json.ts"
import { clean } from "../wire/words.ts"

const decode = Schema.decodeUnknownResult(O1Request)

const invalid = (param: string | undefined, detail: string): O1RequestError =>
  new O1RequestError({ kind: "invalid", param, detail })

/** A message of text and nothing else, as most are. */
const isPlain = (message: unknown): boolean => {
  if (typeof json.at(message, "content") !== "string") return false
  switch (json.at(message, "role")) {
    case "developer":
    case "system":
    case "user":
      return true
    case "tool":
      return typeof json.at(message, "toolCallId") === "string"
    case "assistant":
      return Object.entries(message as object).every(([name, value]) =>
        name === "role" || name === "content" || value === undefined
      )
    default:
      return false
  }
}

/** The same request, without the messages that a look is enough for: a conversation has many, and goes out again with every turn. */
const short = (request: O1Request): O1Request => {
  const messages: unknown = json.at(request, "messages")
  if (!Array.isArray(messages) || messages.length < 2) return request
  const odd = request.messages.filter((message) => !isPlain(message))
  return { ...request, messages: odd.length === 0 ? [request.messages[0]!] : odd }
}

/** The problem of something that is no request, whatever the model. */
export const problemOf = (request: O1Request): O1RequestError | undefined => {
  if (Result.isFailure(decode(short(request)))) {
    const decoded = decode(request)
    const empty = Array.isArray(json.at(request, "messages")) && request.messages.length === 0
    return invalid(empty ? "messages" : undefined, Result.isFailure(decoded) ? clean(decoded.failure.message) : "")
  }
  const owned = ownedField(request)
  return owned && invalid(`extra.${owned.field}`, `extra must not have ${owned.field}: ${owned.why}`)
}

/** What of `extra` is against what the configuration says about storing, or against what the client needs. */
export const storeProblem = ({ extra }: O1Request, config: AzureO1Config): O1RequestError | undefined => {
  if (extra === undefined || !Object.hasOwn(extra, "store")) return undefined
  const { profile = ModelProfile.o1, store = true } = config
  if (extra["store"] === store) return undefined
  if (!store) return invalid("extra.store", "extra must not have store: the configuration has store: false")
  return hasBackground(config) && profile.background && profile.apis.includes("responses")
    ? invalid(
      "extra.store",
      "extra must not have store: what is made in the background is stored; set store: false in the " +
        "configuration"
    )
    : undefined
}
