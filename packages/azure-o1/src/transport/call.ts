import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { ResumeToken } from "../O1Completion.ts"
import { O1Error } from "../O1Error.ts"
import type { Transport } from "../O1Event.ts"

/** What observes the wire from outside. */
interface Watch {
  readonly sent: (transport: Transport) => void
  readonly received: (now: bigint) => void
}

/** A response that the service is making in the background, for the call that is under way. */
interface OpenResponse {
  readonly id: string
  /** Created with `stream: true`, so that its events can be read from anywhere. */
  readonly streams: boolean
  readonly token: () => ResumeToken
  readonly cancel: Effect.Effect<void>
}

/** How long whoever leaves waits for the service to hear of it; it is told in any case. */
const cancelWait = "1 second"

/** What the attempts of one call share: an attempt goes on with the response that one before it has begun. */
export class Call {
  open: OpenResponse | undefined = undefined
  /** The id of the last request that went out. */
  clientRequestId: string | undefined = undefined
  /** Present where somebody observes. */
  readonly observing: Watch | undefined
  /** What was begun goes on, even if nobody here waits for it. */
  readonly keep: boolean

  constructor(options: { readonly keep?: boolean | undefined; readonly observing?: Watch | undefined } = {}) {
    this.keep = options.keep ?? false
    this.observing = options.observing
  }

  /** The error of the call says how the response can be continued. */
  readonly explain = (error: O1Error): O1Error =>
    this.open === undefined || error.resume !== undefined
      ? error
      : O1Error.with(error, { resume: this.open.token() })

  /** What was begun is of no use any more, for it is asked for elsewhere. That does not wait for the service to hear of it. */
  readonly abandon: Effect.Effect<void> = Effect.suspend(() => {
    const { open } = this
    this.open = undefined
    return open === undefined || this.keep
      ? Effect.void
      : Effect.asVoid(Effect.forkDetach(open.cancel, { startImmediately: true }))
  })

  /** Whoever leaves without an error to hold the token leaves for good: the service need not go on. */
  readonly close = (failed: boolean): Effect.Effect<void> => {
    const { open } = this
    this.open = undefined
    if (open === undefined || this.keep || failed) return Effect.void
    return Effect.flatMap(
      Effect.forkDetach(open.cancel, { startImmediately: true }),
      (fiber) => Effect.asVoid(Effect.timeoutOption(Fiber.await(fiber), cancelWait))
    )
  }
}

/** The call that an attempt belongs to; none where a transport is used by itself. */
export const CurrentCall = Context.Reference<Call | undefined>("@effect-resilience/azure-o1/CurrentCall", {
  defaultValue: () => undefined
})

/** One call, with all of its attempts. */
export const asCall = <A, R>(self: Effect.Effect<A, O1Error, R>, call: Call): Effect.Effect<A, O1Error, R> =>
  Effect.onExit(
    Effect.mapError(Effect.provideService(self, CurrentCall, call), call.explain),
    (exit) => call.close(Exit.hasFails(exit))
  )

/** The same for a stream. */
export const asStreamedCall = <A, R>(self: Stream.Stream<A, O1Error, R>, call: Call): Stream.Stream<A, O1Error, R> =>
  Stream.suspend(() => {
    let failed = false
    return self.pipe(
      Stream.provideService(CurrentCall, call),
      Stream.mapError((error) => {
        failed = true
        return call.explain(error)
      }),
      // a stream is closed with the error of whoever reads it, too
      Stream.onExit(() => call.close(failed))
    )
  })

/** Whether an attempt before has timed out, so that this one should be made in the background, where silence does no harm. */
export const AfterTimeout = Context.Reference<boolean>("@effect-resilience/azure-o1/AfterTimeout", {
  defaultValue: () => false
})
