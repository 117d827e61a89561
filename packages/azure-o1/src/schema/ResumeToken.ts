/**
 * The schema of what resumes an answer, for programs that write it down.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

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
    Schema.makeFilter((id) => /^[\w-]{1,256}$/.test(id) ? undefined : "must be letters, digits, _ or -")
  ),
  deployment: Schema.NonEmptyString,
  /** The number of the last event; -1 before the first. */
  after: Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1))
})
