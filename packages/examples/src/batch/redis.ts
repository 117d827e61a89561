/** The ledger in Redis, for workers on one machine or many. Each step is one script, so that no two workers can do it at once. */
import { ResumeToken } from "@effect-resilience/azure-o1/schema"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Redis from "effect/persistence/Redis"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import { Ledger, type News, type Next, type Reader, StoreError } from "./Ledger.ts"
import { Result } from "./Result.ts"

const TokenJson = Schema.fromJsonString(ResumeToken)
const ResultJson = Schema.fromJsonString(Result)

/** Where a run has its state. */
export interface Place {
  readonly url: string
  /** Its name among others on the same server. */
  readonly run: string
}

const prefix = ({ run }: Place): string => `batch:${run}:`

const keysOf = (place: Place) => {
  const key = (name: string) => `${prefix(place)}${name}`
  return {
    asked: key("asked"),
    token: key("token"),
    result: key("result"),
    done: key("done"),
    twice: key("twice"),
    epoch: key("epoch")
  }
}

/** Without user and password. */
const shown = ({ url }: Place): string => URL.canParse(url) ? `redis://${new URL(url).host}` : "Redis"

const said = (cause: unknown): string => {
  const error: unknown = cause instanceof AggregateError ? cause.errors[0] : cause
  const text = error instanceof Error ? error.message : String(error)
  return text === "" ? "it does not answer" : text.replace(/\.$/u, "")
}

const storeError = (place: Place) => (error: Redis.RedisError | Schema.SchemaError): StoreError =>
  new StoreError({
    message: `${shown(place)} cannot be used: ${said(error._tag === "RedisError" ? error.cause : error)}.`
  })

/** A server that is away for a moment comes back. */
export const patiently = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.retry(self, Schedule.spaced("500 millis").pipe(Schedule.upTo({ duration: "20 seconds" })))

/** A connection to a server that is gone would never let itself be closed. */
const longestClose = "2 seconds"

/** The connection. Once it has been there, it comes back by itself. */
export const connection = (place: Place): Layer.Layer<Redis.Redis, StoreError> =>
  Layer.effectContext(Effect.gen(function*() {
    const scope = yield* Scope.make()
    const layer = NodeRedis.layer({
      url: place.url,
      socket: { connectTimeout: 5000 },
      commandOptions: { timeout: 5000 }
    })
    const services = yield* Effect.mapError(Layer.buildWithScope(layer, scope), storeError(place))
    yield* Effect.addFinalizer((exit) =>
      Effect.gen(function*() {
        const closing = yield* Effect.forkDetach(Scope.close(scope, exit), { startImmediately: true })
        const closed = yield* Effect.timeoutOption(Fiber.await(closing), longestClose)
        if (Option.isNone(closed)) Context.get(services, NodeRedis.NodeRedis).client.destroy()
      })
    )
    return services
  }))

/** The queue. A worker that dies has its prompts given to another one after `lease`. */
export const queueStore = (
  place: Place,
  leaseMillis: number
): Layer.Layer<PersistedQueue.PersistedQueueStore, never, Redis.Redis> =>
  PersistedQueue.layerStoreRedis({
    prefix: prefix(place),
    pollInterval: "200 millis",
    lockRefreshInterval: leaseMillis / 3,
    lockExpiration: leaseMillis
  })

const begin = Redis.script(
  (asked: string, token: string, result: string, twice: string, id: string, how: "look" | "ask") => [
    asked,
    token,
    result,
    twice,
    id,
    how
  ],
  {
    numberOfKeys: 4,
    lua: `
if redis.call("HEXISTS", KEYS[3], ARGV[1]) == 1 then return {"Nothing"} end
local token = redis.call("HGET", KEYS[2], ARGV[1])
if token then return {"Continue", token} end
if ARGV[2] == "look" then return {"Ask"} end
if redis.call("HINCRBY", KEYS[1], ARGV[1], 1) > 1 then redis.call("HINCRBY", KEYS[4], ARGV[1], 1) end
return {"Ask"}
`
  }
).withReturnType<readonly ["Nothing" | "Ask"] | readonly ["Continue", string]>()

const withdraw = Redis.script((asked: string, id: string) => [asked, id], {
  numberOfKeys: 1,
  lua: `
if tonumber(redis.call("HGET", KEYS[1], ARGV[1]) or "0") > 0 then redis.call("HINCRBY", KEYS[1], ARGV[1], -1) end
`
})

const accept = Redis.script((token: string, id: string, value: string) => [token, id, value], {
  numberOfKeys: 1,
  lua: `
redis.call("HSETNX", KEYS[1], ARGV[1], ARGV[2])
return redis.call("HGET", KEYS[1], ARGV[1])
`
}).withReturnType<string>()

const forget = Redis.script((asked: string, token: string, id: string, responseId: string, how: "Ended" | "Lost") => [
  asked,
  token,
  id,
  responseId,
  how
], {
  numberOfKeys: 2,
  lua: `
local token = redis.call("HGET", KEYS[2], ARGV[1])
if token and cjson.decode(token).responseId == ARGV[2] then
  redis.call("HDEL", KEYS[2], ARGV[1])
  if ARGV[3] == "Ended" then redis.call("HDEL", KEYS[1], ARGV[1]) end
end
`
})

const answer = Redis.script((result: string, done: string, id: string, value: string) => [result, done, id, value], {
  numberOfKeys: 2,
  lua: `
if redis.call("HSETNX", KEYS[1], ARGV[1], ARGV[2]) == 1 then redis.call("RPUSH", KEYS[2], ARGV[1]) end
`
})

const news = Redis.script((result: string, done: string, twice: string, epoch: string, from: number, fresh: string) => [
  result,
  done,
  twice,
  epoch,
  from,
  fresh
], {
  numberOfKeys: 4,
  lua: `
redis.call("SET", KEYS[4], ARGV[2], "NX")
local twice = 0
for _, n in ipairs(redis.call("HVALS", KEYS[3])) do twice = twice + tonumber(n) end
local reply = {twice, redis.call("GET", KEYS[4])}
for _, id in ipairs(redis.call("LRANGE", KEYS[2], ARGV[1], ARGV[1] + 499)) do
  reply[#reply + 1] = id
  reply[#reply + 1] = redis.call("HGET", KEYS[1], id)
end
return reply
`
}).withReturnType<readonly [twice: number, epoch: string, ...ReadonlyArray<string>]>()

/** Nobody needs the state of a run longer than the service keeps its responses. */
const longest = 30 * 86_400

/** Lets Redis forget a run that is complete. */
export const retire = (place: Place): Effect.Effect<void, StoreError, Redis.Redis> =>
  Effect.gen(function*() {
    const { send } = yield* Redis.Redis
    const pattern = `${prefix(place).replaceAll(/[\\*?[\]]/gu, "\\$&")}*`
    let cursor = "0"
    do {
      const [next, keys] = yield* send<readonly [string, ReadonlyArray<string>]>("SCAN", cursor, "MATCH", pattern)
      for (const key of keys) yield* send("EXPIRE", key, String(longest))
      cursor = next
    } while (cursor !== "0")
  }).pipe(Effect.mapError(storeError(place)))

const restore = Redis.script((asked: string, token: string, id: string, value: string) => [asked, token, id, value], {
  numberOfKeys: 2,
  lua: `
redis.call("HSETNX", KEYS[1], ARGV[1], 1)
if ARGV[2] ~= "" then redis.call("HSETNX", KEYS[2], ARGV[1], ARGV[2]) end
`
})

/** The ledger of a worker, on the connection that there is. */
export const layer = (place: Place): Layer.Layer<Ledger, never, Redis.Redis> =>
  Layer.effect(
    Ledger,
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const keys = keysOf(place)
      const failed = storeError(place)
      const run = <A>(self: Effect.Effect<A, Redis.RedisError>): Effect.Effect<A, StoreError> =>
        Effect.mapError(patiently(self), failed)
      const tokenOf = (json: string) => Effect.mapError(Schema.decodeEffect(TokenJson)(json), failed)
      const forgotten = (how: "Ended" | "Lost") => (id: string, responseId: string) =>
        run(redis.eval(forget)(keys.asked, keys.token, id, responseId, how))
      return {
        look: (id) =>
          Effect.map(
            run(redis.eval(begin)(keys.asked, keys.token, keys.result, keys.twice, id, "look")),
            ([tag]) => tag
          ),
        begin: (id) =>
          Effect.flatMap(
            run(redis.eval(begin)(keys.asked, keys.token, keys.result, keys.twice, id, "ask")),
            ([tag, token]): Effect.Effect<Next, StoreError> =>
              tag === "Continue"
                ? Effect.map(tokenOf(token), (token) => ({ _tag: tag, token }))
                : Effect.succeed({ _tag: tag })
          ),
        withdraw: (id) => run(redis.eval(withdraw)(keys.asked, id)),
        accept: (id, token) => Effect.flatMap(run(redis.eval(accept)(keys.token, id, JSON.stringify(token))), tokenOf),
        end: forgotten("Ended"),
        lose: forgotten("Lost"),
        answer: (id, result) => run(redis.eval(answer)(keys.result, keys.done, id, JSON.stringify(result)))
      }
    })
  )

/** What all workers write. */
export const reader = (place: Place): Effect.Effect<Reader, never, Redis.Redis> =>
  Effect.map(Redis.Redis, (redis) => {
    const keys = keysOf(place)
    let from = 0
    let epoch: string | undefined
    const read = Effect.gen(function*() {
      const [twice, now, ...pairs] = yield* redis.eval(news)(
        keys.result,
        keys.done,
        keys.twice,
        keys.epoch,
        from,
        randomUUID()
      )
      const emptied = epoch !== undefined && epoch !== now
      epoch = now
      if (emptied) {
        from = 0
        return { results: [], twice, emptied }
      }
      const results: Array<News["results"][number]> = []
      for (let i = 0; i < pairs.length; i += 2) {
        results.push([pairs[i]!, yield* Schema.decodeUnknownEffect(ResultJson)(pairs[i + 1])])
      }
      from += results.length
      return { results, twice, emptied }
    })
    return {
      news: Effect.mapError(patiently(read), storeError(place)),
      restore: (memory) =>
        Effect.forEach(
          memory,
          ([key, token]) =>
            redis.eval(restore)(keys.asked, keys.token, key, token === undefined ? "" : JSON.stringify(token)),
          { concurrency: 32, discard: true }
        ).pipe(Effect.mapError(storeError(place)))
    }
  })
