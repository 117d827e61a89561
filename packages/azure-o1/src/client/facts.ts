import * as Effect from "effect/Effect"
import type { Fact } from "../O1Fact.ts"
import type { O1Transport } from "../O1Transport.ts"
import type { Pool } from "../pool/pool.ts"
import { monotonic } from "../transport/asking.ts"

/** One of several deployments, by a name that no other has. */
export interface Member {
  readonly name: string
  readonly transport: O1Transport["Service"]
  /** What gives its tokens, which others can have as well. */
  readonly credential?: object | undefined
}

/** The facts about the members of a pool, under their names. */
export const factsOf = (members: ReadonlyArray<Member>, pool: Pool): Effect.Effect<ReadonlyArray<Fact>> =>
  Effect.gen(function*() {
    const each = yield* Effect.forEach(members, ({ name, transport }) =>
      transport.learned === undefined
        ? Effect.succeed([])
        : Effect.map(transport.learned, (facts) => facts.map((fact) => ({ ...fact, deployment: name }))))
    return [...each.flat(), ...pool.facts(yield* monotonic)]
  })
