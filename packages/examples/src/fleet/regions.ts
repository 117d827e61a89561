/** The deployments, each in a region of its own that can fail. */
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as link from "./link.ts"
import { type Region, requestsPerMinute, squeezed, tokensPerMinute } from "./scenario.ts"

/** What a region has counted since it was started. */
export interface Counted {
  /** Requests for an answer that came through. */
  readonly asked: number
  /** Those that its limits did not admit. */
  readonly refused: number
}

export interface Deployment {
  readonly name: Region
  readonly url: string
  readonly counted: Effect.Effect<Counted>
  readonly fail: Effect.Effect<void>
  readonly recover: Effect.Effect<void>
  /** Half of the requests of a minute, until `release`. */
  readonly squeeze: Effect.Effect<void>
  readonly release: Effect.Effect<void>
}

/** How long the answers of a region take, in milliseconds: each has a pace of its own. */
const think: { readonly [R in Region]: readonly [least: number, most: number] } = {
  east: [200, 900],
  west: [300, 1300],
  north: [400, 1700]
}

const named = /call-\d+/u

/** The answer names the call, so that a wrong one is seen. */
const reply = (name: Region) => {
  const [least, most] = think[name]
  let turn = 0
  return (body: unknown) => {
    turn = (turn + 1) % 7
    const id = named.exec(JSON.stringify(body))?.[0] ?? "nobody"
    return FakeAzure.answer(`You are ${id}.`, { think: least + (most - least) * turn / 6 })
  }
}

/** Starts a region, until the scope ends. */
export const start = (name: Region): Effect.Effect<Deployment, never, Scope.Scope> =>
  Effect.gen(function*() {
    const limits = { requestsPerMinute, tokensPerMinute }
    const azure = Context.get(
      yield* Layer.build(FakeAzure.layer({ deployment: name, limits, reply: reply(name) })),
      FakeAzure
    )
    const way = yield* link.make(Number(new URL(azure.url).port))
    return {
      name,
      url: way.url,
      counted: Effect.map(azure.requests, (requests) => {
        const asked = requests.filter(({ method, operation }) =>
          method === "POST" && (operation === "chat" || operation === "responses")
        )
        return { asked: asked.length, refused: asked.filter(({ refused }) => refused !== undefined).length }
      }),
      fail: way.cut,
      recover: way.mend,
      squeeze: azure.limit({ ...limits, requestsPerMinute: squeezed }),
      release: azure.limit(limits)
    }
  })
