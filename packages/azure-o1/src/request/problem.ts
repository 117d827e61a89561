import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
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
