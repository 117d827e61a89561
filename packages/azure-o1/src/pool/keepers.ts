import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ResumeToken } from "../O1Completion.ts"
import type { O1Error } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { O1Transport } from "../O1Transport.ts"
import { Elsewhere } from "../transport/kept.ts"
import { growing, isUnseen, unseenFor } from "../transport/reading.ts"

type Keeper = O1Transport["Service"]

type Events = Stream.Stream<AttemptEvent, O1Error>

/** Those that may keep a response: a token names the deployment, which several members of a pool can have. */
export const keepersOf = (token: ResumeToken, all: NonEmptyReadonlyArray<Keeper>): NonEmptyReadonlyArray<Keeper> => {
  const keepers = all.filter(({ deployment }) => deployment === token?.deployment)
  return Arr.isReadonlyArrayNonEmpty(keepers) ? keepers : all
}

/** Reads a response wherever it is. Where several may have it, they are asked in turn, for as long as it may not be there yet. */
export const resumeFrom = (token: ResumeToken, keepers: NonEmptyReadonlyArray<Keeper>): Events => {
  if (keepers.length === 1) return keepers[0].resume(token)
  const search = (turn: number, since: number): Events => {
    const keeper = keepers[turn % keepers.length]!
    const next = Effect.fnUntraced(function*(error: O1Error) {
      const now = yield* Clock.currentTimeMillis
      if (!isUnseen(error) || now - since >= unseenFor) return Stream.fail(error)
      const rounds = Math.floor(turn / keepers.length)
      const last = turn % keepers.length === keepers.length - 1
      if (last) yield* Effect.sleep(Duration.millis(growing(rounds)))
      return search(turn + 1, since)
    })
    return Stream.suspend(() => {
      let found = false
      return Stream.provideService(keeper.resume(token), Elsewhere, true).pipe(
        Stream.tap(() =>
          Effect.sync(() => {
            found = true
          })
        ),
        Stream.catch((error) => found ? Stream.fail(error) : Stream.unwrap(next(error)))
      )
    })
  }
  return Stream.unwrap(Effect.map(Clock.currentTimeMillis, (now) => search(0, now)))
}
