/**
 * A `redis-server` for tests and programs: on a port of its own on loopback, without a file, gone with its scope and with
 * this process, however that ends.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Server } from "./server.ts"

export { available } from "./server.ts"

/** The server could not be started. */
export class RedisServerError extends Data.TaggedError("RedisServerError")<{ readonly cause: unknown }> {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/** A running `redis-server`. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** The id of its process now; a restart gives it another one. */
  readonly pid: Effect.Effect<number | undefined>
  /** Ends it, as by SIGKILL. Nothing answers until `restart`. */
  readonly kill: Effect.Effect<void>
  /** Ends it if it runs, and starts it on the same port with an empty memory. Waits until it answers. */
  readonly restart: Effect.Effect<void, RedisServerError>
  /** Stops its process: connections stay open, and nothing is answered until `resume`. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

const attempt = <A>(promise: () => Promise<A>): Effect.Effect<A, RedisServerError> =>
  Effect.tryPromise({ try: promise, catch: (cause) => new RedisServerError({ cause }) })

/** Starts a server, waits until it answers, and ends it with the scope. */
export const start: Effect.Effect<RedisServer, RedisServerError, Scope.Scope> = Effect.acquireRelease(
  attempt(() => Server.start()),
  (server) => Effect.promise(() => server.kill())
).pipe(
  Effect.map((server) => ({
    port: server.port,
    url: server.url,
    pid: Effect.sync(() => server.pid),
    kill: Effect.promise(() => server.kill()),
    restart: attempt(() => server.restart()),
    pause: Effect.sync(() => server.signal("SIGSTOP")),
    resume: Effect.sync(() => server.signal("SIGCONT"))
  }))
)
