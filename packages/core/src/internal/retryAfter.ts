import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import * as Result from "effect/Result"
import * as grpc from "../kernel/grpc.ts"

/** RFC 9110 knows whole seconds only; Discord's API and others send fractions. */
const decimal = /^\s*\d{1,15}(\.\d{1,15})?\s*$/

/**
 * The pause that a response asks for. gRPC's is asked for by gRPC alone. Milliseconds, where a service gives them as Azure's
 * do, say more than the standard header beside them. `now` is needed for a date.
 */
export const retryAfterOf = (headers: Headers.Headers, now: number | undefined): Duration.Duration | undefined => {
  const pushback = headers["grpc-retry-pushback-ms"]
  if (pushback !== undefined) return Duration.millis(grpc.pushback(pushback))
  for (const header of [headers["retry-after-ms"], headers["x-ms-retry-after-ms"]]) {
    if (header !== undefined && decimal.test(header)) return Duration.millis(Number(header))
  }
  const header = headers["retry-after"]
  if (header !== undefined && decimal.test(header)) return Duration.millis(Number(header) * 1000)
  const parsed = header === undefined ? undefined : Result.getOrUndefined(Headers.parseRetryAfter(header))
  if (parsed === undefined || (parsed._tag === "DateTime" && now === undefined)) return undefined
  return Headers.retryAfterDelay(parsed, now ?? 0)
}
