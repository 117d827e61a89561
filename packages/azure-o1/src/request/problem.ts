import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type AzureO1Config, hasBackground } from "../AzureO1Config.ts"
import * as ModelProfile from "../ModelProfile.ts"
import { O1RequestError } from "../O1Error.ts"
import { O1Request } from "../O1Request.ts"
import { ownedField } from "../wire/body.ts"
import * as json from "../wire/json.ts"

const decode = Schema.decodeUnknownResult(O1Request)

const invalid = (param: string | undefined, detail: string): O1RequestError =>
  new O1RequestError({ kind: "invalid", param, detail })

/** What is no request, whatever the model. */
export const problemOf = (request: O1Request): O1RequestError | undefined => {
  const decoded = decode(request)
  if (Result.isFailure(decoded)) {
    const empty = Array.isArray(json.at(request, "messages")) && request.messages.length === 0
    return invalid(empty ? "messages" : undefined, decoded.failure.message)
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
