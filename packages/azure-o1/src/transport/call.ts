import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ResumeToken } from "../O1Completion.ts"
import { O1Error } from "../O1Error.ts"
import type { AttemptEvent, Transport } from "../O1Event.ts"
import { Text } from "../wire/text.ts"
import * as route from "./route.ts"

/** What observes the wire from outside. */
interface Observer {
  readonly sent: (transport: Transport) => void
  readonly received: (now: bigint) => void
}

/** A response that the service is making in the background, for the call that is under way. */
interface OpenResponse {
  readonly id: string
  /** Created with `stream: true`, so that its events can be read from anywhere. */
  readonly streams: boolean
  readonly token: () => ResumeToken
  /** The text of it so far. */
  readonly text: () => string
  /** Whether the service has taken it. It is tried several times, and tells of its failure. */
  readonly cancel: Effect.Effect<boolean>
}

/** The other calls to a deployment, which share its pauses. Times in milliseconds on the monotonic clock. */
interface Others {
  /** Why it is not to be asked any more; `undefined` where nobody was told to wait. */
  readonly held: (now: number) => O1Error | undefined
  /** It has failed, which they have to know before they go on. */
  readonly failed: (error: O1Error, now: number) => void
}

/** How long a leaving caller waits for the service to hear of it; the service is told in any case. */
const cancelWait = "1 second"

/** The request that a call follows, as far as others have to know of it. */
class Followed {
  open: OpenResponse | undefined = undefined
  clientRequestId: string | undefined = undefined
  signsIn = false
  others: Others | undefined = undefined
}

/**
 * What the attempts of one call share: an attempt goes on with the response that one before it has begun. A call may make two
 * requests at the same time; each of them is then a call of its own, and this one follows one of them.
 */
export class Call {
  /** Present where somebody observes. */
  readonly observing: Observer | undefined
  private readonly onLeave: "cancel" | "keep" | undefined
  private readonly onContent: ((event: AttemptEvent) => void) | undefined
  private followed = new Followed()
  /** The text of the last attempt that said something. */
  private readonly text = new Text()
  /** It is of an attempt that has failed. */
  private outdated = false

  constructor(
    options: {
      readonly onLeave?: "cancel" | "keep" | undefined
      readonly observing?: Observer | undefined
      /** Hears in its place what an attempt has said. */
      readonly onContent?: ((event: AttemptEvent) => void) | undefined
    } = {}
  ) {
    this.onLeave = options.onLeave
    this.observing = options.observing
    this.onContent = options.onContent
  }

  /** From now on this call is about the request of that one. */
  follow(other: Call): void {
    this.followed = other.followed
  }

  /** Whether it is about the request of that one. */
  follows(other: Call): boolean {
    return this.followed === other.followed
  }

  get open(): OpenResponse | undefined {
    return this.followed.open
  }

  set open(open: OpenResponse | undefined) {
    this.followed.open = open
  }

  /** The id of the last request that went out. */
  get clientRequestId(): string | undefined {
    return this.followed.clientRequestId
  }

  set clientRequestId(id: string | undefined) {
    this.followed.clientRequestId = id
  }

  /** A token is waited for. */
  get signsIn(): boolean {
    return this.followed.signsIn
  }

  set signsIn(signsIn: boolean) {
    this.followed.signsIn = signsIn
  }

  /** The other calls to the deployment that is asked. */
  get others(): Others | undefined {
    return this.followed.others
  }

  set others(others: Others | undefined) {
    this.followed.others = others
  }

  /** What an attempt has said is kept, for the call may fail where nobody knows of it. */
  readonly heard = (event: AttemptEvent): void => {
    if (this.onContent !== undefined) return this.onContent(event)
    if (event._tag !== "TextDelta") return
    if (this.outdated) this.text.clear()
    this.outdated = false
    this.text.add(event.text)
  }

  get partialText(): string {
    return this.text.toString() || (this.open?.text() ?? "")
  }

  /** Another attempt, or another deployment, says it all again; until it does, this is all that the caller has. */
  readonly again = (): void => {
    this.outdated = true
  }

  /** The error of the call says how the response can be continued, if it goes on. */
  readonly explain = (error: O1Error): O1Error => {
    if (this.open === undefined) return error
    const goesOn = route.leaving("failed", this.onLeave) === "keep"
    return O1Error.with(error, { resume: goesOn ? error.resume ?? this.open.token() : undefined })
  }

  /**
   * The call goes elsewhere with its request, so that the response it has begun is cancelled first. Gives its token where it goes on: where it is to be
   * kept, or the service has not confirmed in time that it stops.
   */
  readonly leave: Effect.Effect<ResumeToken | undefined> = Effect.suspend(() => {
    const { open } = this
    this.open = undefined
    if (open === undefined) return Effect.undefined
    if (this.onLeave === "keep") return Effect.succeed(open.token())
    return Effect.map(told(open), (stopped) => stopped ? undefined : open.token())
  })

  /** The call has ended, with an error that can hold the token or without. */
  readonly close = (how: "left" | "failed"): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { open } = this
      this.open = undefined
      return open === undefined || route.leaving(how, this.onLeave) === "keep" ? Effect.void : told(open)
    })
}

/** Tells the service that nobody waits any more, and waits a while for its word. */
const told = ({ cancel }: OpenResponse): Effect.Effect<boolean> =>
  Effect.flatMap(
    Effect.forkDetach(cancel, { startImmediately: true }),
    (fiber) => Effect.map(Effect.timeoutOption(Fiber.join(fiber), cancelWait), Option.getOrElse(() => false))
  )

/** The call that an attempt belongs to; none where a transport is used by itself. */
export const CurrentCall = Context.Reference<Call | undefined>("@effect-resilience/azure-o1/CurrentCall", {
  defaultValue: () => undefined
})

/** One call, with all of its attempts. */
export const asCall = <A, R>(self: Effect.Effect<A, O1Error, R>, call: Call): Effect.Effect<A, O1Error, R> =>
  Effect.onExit(
    Effect.mapError(Effect.provideService(self, CurrentCall, call), call.explain),
    (exit) => call.close(Exit.hasFails(exit) ? "failed" : "left")
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
      // a stream is closed with the error of its reader, too
      Stream.onExit(() => call.close(failed ? "failed" : "left"))
    )
  })
