/** Responses that outlive the request: stored ones, and those that are made in the background. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as json from "../../wire/json.ts"
import type { FakeResponse } from "../FakeOptions.ts"
import { millis } from "../FakeReply.ts"
import { finalStatus, response, type ResponseStatus } from "./fakeResponseBody.ts"
import { streamed } from "./fakeResponses.ts"
import { type FakeAnswer, schedule, type Transcript } from "./fakeTranscript.ts"

export class StoredResponse {
  readonly answer: FakeAnswer
  readonly background: boolean
  /** Whether its events can be read again. */
  readonly resumable: boolean
  /** The number of events that are out. */
  emitted = 0
  polls = 0
  private readonly createdAt = performance.now()
  cursorReads = 0
  private cancelled = false
  private complete = false
  private stopped = false
  private written: Transcript | undefined = undefined
  private making: Fiber.Fiber<void> | undefined = undefined
  private readonly waiting = new Set<() => void>()

  constructor(answer: FakeAnswer) {
    this.answer = answer
    this.background = json.at(answer.body, "background") === true
    this.resumable = this.background && json.at(answer.body, "stream") === true
  }

  /** A response that was made in the foreground: its events are gone. */
  static completed(answer: FakeAnswer): StoredResponse {
    const stored = new StoredResponse(answer)
    stored.complete = true
    return stored
  }

  get transcript(): Transcript {
    return this.written ??= streamed(this.answer)
  }

  /** Whether it can be read `readableAfter` milliseconds after its beginning, or its reply's own time if that is longer. */
  isReadable(readableAfter: number): boolean {
    const wait = Math.max(readableAfter, millis(this.answer.reply.readableAfter))
    return wait === 0 || performance.now() - this.createdAt >= wait
  }

  get done(): boolean {
    return this.cancelled || this.complete
  }

  get status(): ResponseStatus {
    if (this.cancelled) return "cancelled"
    if (this.done) return finalStatus(this.answer)
    return this.emitted > this.transcript.queued ? "in_progress" : "queued"
  }

  get body(): object {
    return response(this.answer, this.status)
  }

  get seen(): FakeResponse {
    const { background, cancelled, cursorReads, polls, status } = this
    return { id: this.answer.id, background, status, cancelled, polls, cursorReads }
  }

  private emit(until: number): void {
    this.emitted = until
    this.complete = until === this.transcript.events.length
    this.wake()
  }

  private wake(): void {
    for (const resume of this.waiting) resume()
    this.waiting.clear()
  }

  /** Until there is more than the event before `index`, or there will be nothing more. */
  past(index: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.emitted > index || this.done || this.stopped) return resume(Effect.void)
      const wake = (): void => resume(Effect.void)
      this.waiting.add(wake)
      return Effect.sync(() => void this.waiting.delete(wake))
    })
  }

  /** Makes the answer at its pace, with or without a reader. On the real clock, which is that of an empty context. */
  start(): void {
    const dues = schedule(this.transcript, this.answer.reply)
    this.making = Effect.runFork(
      Effect.forEach(
        dues,
        ({ until, wait }) =>
          Effect.andThen(wait > 0 ? Effect.sleep(wait) : Effect.void, Effect.sync(() => this.emit(until))),
        { discard: true }
      )
    )
  }

  /** Stops what is being made; what is complete stays so. */
  cancel(): void {
    if (this.done) return
    this.cancelled = true
    this.stop()
  }

  stop(): void {
    this.stopped = true
    this.making?.interruptUnsafe()
    this.wake()
  }
}
