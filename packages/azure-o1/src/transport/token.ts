import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as O1Completion from "../O1Completion.ts"
import { O1RequestError } from "../O1Error.ts"

/**
 * A response that the service keeps, up to which event its stream was read.
 *
 * **Example** (From JSON)
 *
 * ```ts import.meta.vitest
 * import { ResumeToken } from "@effect-resilience/azure-o1/schema"
 * import { Schema } from "effect"
 *
 * const read = Schema.decodeUnknownSync(Schema.fromJsonString(ResumeToken))
 * read("{\"responseId\":\"resp_1\",\"deployment\":\"o1\",\"after\":7}").after // => 7
 * ```
 *
 * @category schemas
 * @since 0.1.0
 */
export const ResumeToken = Schema.Struct({
  /** One segment of a path. */
  responseId: Schema.String.check(
    Schema.makeFilter((id) =>
      /^(?!\.{1,2}$)[\w.~=+:@-]{1,256}$/.test(id)
        ? undefined
        : "must be one segment of a path, of at most 256 characters"
    )
  ),
  deployment: Schema.NonEmptyString,
  /** The number of the last event; -1 before the first. */
  after: Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1))
})

const decode = Schema.decodeUnknownEffect(ResumeToken)

/** A token that somebody has kept, if it is one of a deployment that keeps responses. */
export const checked = (
  token: O1Completion.ResumeToken,
  { deployment, keeps }: { readonly deployment: string; readonly keeps: boolean }
): Effect.Effect<O1Completion.ResumeToken, O1RequestError> => {
  const bad = (detail: string): O1RequestError =>
    new O1RequestError({ kind: "invalid", param: "token", deployment, detail })
  return decode(token).pipe(
    Effect.mapError(({ message }) => bad(message)),
    Effect.filterOrFail(
      (token) => token.deployment === deployment && keeps,
      (token) => bad(`The token is of the deployment ${JSON.stringify(token.deployment)}, with what it keeps`)
    )
  )
}
