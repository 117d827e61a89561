/** A fake deployment on loopback, and a client of it with the limits of production, made shorter. */
import { AzureO1, type AzureO1Config, O1Policy, type O1PolicySettings, O1Transport } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { AzureO1Pool } from "@effect-resilience/azure-o1/pool"
import { FakeAzure, type FakeAzureOptions } from "@effect-resilience/azure-o1/testing"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** How much shorter than in production everything is. */
export class Scale extends Context.Service<Scale, number>()("examples/demo/Scale") {}

/** So long in production, and so long here. */
export const scaled = (duration: Duration.Input): Effect.Effect<Duration.Duration, never, Scale> =>
  Effect.map(Scale, (scale) => Duration.millis(Math.round(Duration.toMillis(duration) / scale)))

const { backoff, breaker, idle, retryAfterCap, throttledWait, timeout, total } = O1Policy.defaults

/** The limits of an attempt as in production, where they are not what is shown: a busy machine is slow. */
export const patient: O1PolicySettings = { timeout, total, idle }

const settings: Effect.Effect<O1PolicySettings, never, Scale> = Effect.all({
  timeout: Effect.all({ low: scaled(timeout.low), medium: scaled(timeout.medium), high: scaled(timeout.high) }),
  backoff: scaled(backoff),
  throttledWait: scaled(throttledWait),
  retryAfterCap: scaled(retryAfterCap),
  total: scaled(total),
  idle: scaled(idle),
  breaker: Effect.all({ open: scaled(breaker.open) })
})

/** A deployment that follows a script. */
export const fake = (options: FakeAzureOptions): Effect.Effect<FakeAzure["Service"], never, Scope.Scope> =>
  Effect.map(Layer.build(FakeAzure.layer(options)), Context.get(FakeAzure))

/** A client of one deployment, or of several, the preferred one first. */
export const clientOf = (
  configs: readonly [AzureO1Config.AzureO1Config, ...Array<AzureO1Config.AzureO1Config>],
  overrides: O1PolicySettings = {}
) =>
  Effect.gen(function*() {
    const limits = { ...yield* settings, ...overrides }
    const [only, ...others] = configs
    const client = others.length === 0
      ? AzureO1.layerServices.pipe(
        Layer.provide(O1Transport.layer(only)),
        Layer.provideMerge(O1Policy.layerWith(limits))
      )
      : AzureO1Pool.layer(AzureO1Pool.inOrder(configs), limits)
    return yield* Layer.build(Layer.provide(client, AzureO1Node.layerHttpClient))
  })
