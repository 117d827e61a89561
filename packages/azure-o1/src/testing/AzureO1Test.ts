/**
 * The client without a service: answers from a script, and a record of what was asked.
 *
 * - `AzureO1Test.layer(script)` is the client itself, mocked: each step is a whole call, and there is no policy. For tests of
 *   what a program does with answers and errors.
 * - `AzureO1Test.layerTransport(script)` mocks the wire only: each step is one attempt, under the real policy. With
 *   `TestClock` a test of retries and timeouts takes no time.
 *
 * - `AzureO1Test.transport(script)` is such a wire as a value: several of them make a pool.
 *
 * A call takes the first step that accepts it. A step is taken once; one made with `when` answers every request that its
 * predicate accepts. A call for which there is no step dies, and says so.
 *
 * **Example** (A timeout, and then an answer)
 *
 * ```ts import.meta.vitest
 * import { AzureO1, user } from "@effect-resilience/azure-o1"
 * import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
 * import { Effect, Fiber, Layer } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * const program = Effect.gen(function*() {
 *   const o1 = yield* AzureO1
 *   const call = yield* Effect.forkChild(o1.complete({ messages: [user("hello")] }, { timeout: "60 seconds" }))
 *   yield* TestClock.adjust("2 minutes")
 *   const answer = yield* Fiber.join(call)
 *   return [answer.text, (yield* (yield* AzureO1Test).calls).length]
 * })
 *
 * const wire = AzureO1Test.layerTransport([AzureO1Test.hang, AzureO1Test.answer("hi")])
 * const test = Layer.mergeAll(wire, TestClock.layer())
 * await Effect.runPromise(Effect.provide(program, test)) // => ["hi", 2]
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../AzureO1.ts"
import { fromFaces, tokensOf } from "../client/faces.ts"
import * as ModelProfile from "../ModelProfile.ts"
import type { CallOptions } from "../O1Client.ts"
import { noMetadata, type O1Completion } from "../O1Completion.ts"
import type { O1Error } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import { O1Policy } from "../O1Policy.ts"
import { messageText, type O1Request, user } from "../O1Request.ts"
import { O1Transport } from "../O1Transport.ts"
import { emulate } from "../wire/answer.ts"

/**
 * One question to the double.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  readonly request: O1Request
  /** The options of the call; `undefined` on the wire, where there are none. */
  readonly options: CallOptions | undefined
  /** Whether the whole answer was asked for, or a stream. */
  readonly face: "complete" | "stream"
}

/**
 * One line of a script.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly complete: Effect.Effect<O1Completion, O1Error>
  readonly stream: Stream.Stream<AttemptEvent, O1Error>
  /** Absent: the step is taken by the first call that comes to it. */
  readonly accepts?: ((request: O1Request) => boolean) | undefined
}

/**
 * A transport that plays a script.
 *
 * @category models
 * @since 0.1.0
 */
export type TestTransport = O1Transport["Service"] & {
  /** The requests so far, in order. */
  readonly calls: Effect.Effect<ReadonlyArray<Call>>
}

const completionOf = (text: string, overrides: Partial<O1Completion> | undefined): O1Completion => ({
  id: "chatcmpl-test",
  model: "o1-2024-12-17",
  text,
  commentary: undefined,
  reasoning: undefined,
  refusal: undefined,
  finishReason: "stop",
  toolCalls: [],
  usage: { input: 10, cachedInput: 0, output: 20, reasoning: 15 },
  warnings: [],
  requestId: "test",
  region: "test",
  metadata: noMetadata,
  ...overrides
})

const show = ({ messages }: O1Request): string => {
  const content = messageText(messages[messages.length - 1]!)
  return content.length > 60 ? `${content.slice(0, 60)}...` : content
}

/** What the record shows where a response was resumed. */
const resumption: O1Request = { messages: [user("(resumed)")] }

/** Plays a script: finds the step of a call, and keeps the record. */
class Script {
  readonly calls: Array<Call> = []
  private readonly steps: Array<Step>

  constructor(steps: ReadonlyArray<Step>) {
    this.steps = [...steps]
  }

  next(call: Call): Step {
    this.calls.push(call)
    const index = this.steps.findIndex(({ accepts }) => accepts === undefined || accepts(call.request))
    const step = this.steps[index]
    if (step === undefined) {
      throw new Error(`AzureO1Test: there is no step for call ${this.calls.length} ("${show(call.request)}")`)
    }
    if (step.accepts === undefined) this.steps.splice(index, 1)
    return step
  }

  complete(request: O1Request, options?: CallOptions): Effect.Effect<O1Completion, O1Error> {
    return Effect.suspend(() => this.next({ request, options, face: "complete" }).complete)
  }

  /** `resume` takes the next step that is not for particular requests. */
  resume(): Stream.Stream<AttemptEvent, O1Error> {
    return this.stream(resumption)
  }

  stream(request: O1Request, options?: CallOptions): Stream.Stream<AttemptEvent, O1Error> {
    return Stream.suspend(() => this.next({ request, options, face: "stream" }).stream)
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class AzureO1Test extends Context.Service<AzureO1Test, {
  /** The requests so far, in order: calls, or attempts on the wire. */
  readonly calls: Effect.Effect<ReadonlyArray<Call>>
}>()("@effect-resilience/azure-o1/testing/AzureO1Test") {
  /** A whole answer, after a while. As a stream, its text is one delta. */
  static readonly answer = (
    text: string,
    options?: { readonly after?: Duration.Input; readonly completion?: Partial<O1Completion> }
  ): Step => {
    const complete = Effect.delay(
      Effect.succeed(completionOf(text, options?.completion)),
      options?.after ?? Duration.zero
    )
    return { complete, stream: Stream.fromIterableEffect(Effect.map(complete, emulate)) }
  }

  /**
   * An answer token by token: the first after `first`, the others `every` so often; at the end `fail`, or the completion.
   * Asked for as a whole, it takes as long.
   */
  static readonly tokens = (
    tokens: ReadonlyArray<string>,
    options?: {
      readonly first?: Duration.Input
      readonly every?: Duration.Input
      readonly fail?: O1Error
      readonly completion?: Partial<O1Completion>
    }
  ): Step => {
    const completion = completionOf(tokens.join(""), options?.completion)
    const pause = (index: number): Duration.Input => (index === 0 ? options?.first : options?.every) ?? Duration.zero
    const deltas = Stream.fromIterable(tokens.entries()).pipe(
      Stream.mapEffect(([index, text]) =>
        Effect.delay(Effect.succeed<AttemptEvent>({ _tag: "TextDelta", text }), pause(index))
      )
    )
    const end: Stream.Stream<AttemptEvent, O1Error> = options?.fail === undefined
      ? Stream.make({ _tag: "Finished", completion })
      : Stream.fail(options.fail)
    const stream = Stream.concat(deltas, end)
    return { complete: Effect.as(Stream.runDrain(stream), completion), stream }
  }

  /** A typed failure, after a while. */
  static readonly fail = (error: O1Error, options?: { readonly after?: Duration.Input }): Step => {
    const complete = Effect.delay(Effect.fail(error), options?.after ?? Duration.zero)
    return { complete, stream: Stream.fromEffect(complete) }
  }

  /** No answer at all. */
  static readonly hang: Step = { complete: Effect.never, stream: Stream.never }

  /** A step for every request that the predicate accepts, as often as it comes. */
  static readonly when = (accepts: (request: O1Request) => boolean, step: Step): Step => ({ ...step, accepts })

  /** The client, mocked: each step is a whole call, without policy. */
  static readonly layer = (steps: ReadonlyArray<Step>): Layer.Layer<AzureO1 | AzureO1Test> =>
    Layer.effectContext(Effect.sync(() => {
      const script = new Script(steps)
      return Context.make(
        AzureO1,
        fromFaces({
          complete: (request, options) => script.complete(request, options),
          stream: (request, options) => script.stream(request, options),
          tokens: (request, options) => tokensOf(script.stream(request, options)),
          resume: () => script.resume(),
          cancel: () => Effect.void,
          learned: Effect.succeed([])
        })
      ).pipe(Context.add(AzureO1Test, { calls: Effect.sync(() => [...script.calls]) }))
    }))

  /** The wire, mocked, as a value: one of the members of a pool. */
  static readonly transport = (
    steps: ReadonlyArray<Step>,
    options?: {
      /** @default "o1" */
      readonly deployment?: string
      /** @default ModelProfile.o1 */
      readonly profile?: ModelProfile.ModelProfile
    }
  ): TestTransport => {
    const script = new Script(steps)
    return {
      deployment: options?.deployment ?? "o1",
      profile: () => options?.profile ?? ModelProfile.o1,
      complete: (request) => script.complete(request),
      stream: (request) => script.stream(request),
      resume: () => script.resume(),
      cancel: () => Effect.void,
      calls: Effect.sync(() => [...script.calls])
    }
  }

  /** The client with a mocked wire: each step is one attempt, under the production policy or the one that is given. */
  static readonly layerTransport = (
    steps: ReadonlyArray<Step>,
    options?: {
      readonly policy?: Layer.Layer<O1Policy>
      readonly deployment?: string
      /** @default ModelProfile.o1 */
      readonly profile?: ModelProfile.ModelProfile
    }
  ): Layer.Layer<AzureO1 | O1Policy | AzureO1Test> => {
    const wire = Layer.effectContext(Effect.sync(() => {
      const { calls, ...transport } = AzureO1Test.transport(steps, options)
      return Context.make(O1Transport, transport).pipe(Context.add(AzureO1Test, { calls }))
    }))
    // a layer is built once in a program, by its identity: the client of another script is another one
    return Layer.fresh(AzureO1.layerServices).pipe(
      Layer.provideMerge(options?.policy ?? O1Policy.layerWith({})),
      Layer.provideMerge(wire)
    )
  }
}
