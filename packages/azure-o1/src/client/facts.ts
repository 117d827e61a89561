import * as Effect from "effect/Effect"
import type { Fact } from "../O1Fact.ts"
import type { O1Transport } from "../O1Transport.ts"
import { monotonic } from "../transport/asking.ts"

/** A deployment, by a name that no other of its client has. */
interface Named {
  readonly name: string
  readonly transport: O1Transport["Service"]
}

/** The facts about deployments under their names, and what their client has learnt of them. */
export const factsOf = (
  deployments: ReadonlyArray<Named>,
  others: (now: number) => ReadonlyArray<Fact>
): Effect.Effect<ReadonlyArray<Fact>> =>
  Effect.gen(function*() {
    const each = yield* Effect.forEach(deployments, ({ name, transport }) =>
      transport.learned === undefined
        ? Effect.succeed([])
        : Effect.map(transport.learned, (facts) => facts.map((fact) => ({ ...fact, deployment: name }))))
    return [...each.flat(), ...others(yield* monotonic)]
  })
