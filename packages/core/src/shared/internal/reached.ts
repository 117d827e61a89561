import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Scope from "effect/Scope"

/** How often a server is tried that could not be reached yet. */
const pause = "1 second"

const notYet = new Redis.RedisError({ cause: new Error("Redis could not be reached yet.") })

/** The Redis of a layer, while it is made. Until then each command fails at once, and a subscription waits. */
class Reached {
  readonly first = Deferred.makeUnsafe<void>()
  private readonly there = Deferred.makeUnsafe<Redis.Redis["Service"]>()
  private redis: Redis.Redis["Service"] | undefined = undefined

  private readonly commands = Effect.suspend(() =>
    this.redis === undefined ? Effect.fail(notYet) : Effect.succeed(this.redis)
  )

  readonly service = Redis.Redis.of({
    send: <A>(command: string, ...args: ReadonlyArray<string>) =>
      Effect.flatMap(this.commands, (redis) => redis.send<A>(command, ...args)),
    eval: (script) => (...params) => Effect.flatMap(this.commands, (redis) => redis.eval(script)(...params)),
    reserve: Effect.flatMap(this.commands, ({ reserve }) => reserve),
    subscribe: (channel) => Effect.flatMap(Deferred.await(this.there), (redis) => redis.subscribe(channel))
  })

  /** Ends when the layer has been made, or dies as it does. */
  reach<E, R>(layer: Layer.Layer<Redis.Redis, E, R>, scope: Scope.Scope): Effect.Effect<void, never, R> {
    const attempt = Effect.gen({ self: this }, function*() {
      // what a failed attempt leaves is closed with it
      const own = yield* Scope.fork(scope)
      const made = yield* Effect.exit(Layer.buildWithScope(Layer.fresh(layer), own))
      if (Exit.isFailure(made)) {
        yield* Scope.close(own, made)
        return yield* made
      }
      this.redis = Context.get(made.value, Redis.Redis)
      Deferred.doneUnsafe(this.there, Effect.succeed(this.redis))
    })
    const again: Effect.Effect<void, never, R> = Effect.catch(attempt, () => {
      Deferred.doneUnsafe(this.first, Effect.void)
      return Effect.andThen(Effect.sleep(pause), again)
    })
    return again
  }
}

export const reached = <E, R>(layer: Layer.Layer<Redis.Redis, E, R>): Layer.Layer<Redis.Redis, never, R> =>
  Layer.effect(
    Redis.Redis,
    Effect.gen(function*() {
      const reached = new Reached()
      const scope = yield* Effect.scope
      const reaching = reached.reach(layer, scope).pipe(
        Effect.onExit((exit) => Effect.sync(() => Deferred.doneUnsafe(reached.first, exit)))
      )
      yield* Effect.forkScoped(reaching)
      // a host that does not answer at all is not waited for
      yield* Effect.timeoutOption(Deferred.await(reached.first), pause)
      return reached.service
    })
  )
