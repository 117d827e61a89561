import type * as Telemetry from "@effect-resilience/core/Telemetry"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type { O1Completion } from "../O1Completion.ts"
import { O1Error } from "../O1Error.ts"
import type { Transport } from "../O1Event.ts"
import type { O1Request } from "../O1Request.ts"
import { outcomeOf } from "./history.ts"
import { type CallObserver, completionOf, errorOf } from "./observing.ts"
import type { Turn } from "./turns.ts"

/** The method of the client that was called. */
export type Operation = "complete" | "stream" | "tokens" | "resume"

/** Where a deployment is. */
export interface Server {
  readonly address: string
  readonly port: number
}

/** The request, as far as spans tell of it. */
interface Traced {
  readonly name: string
  readonly serverOf: (deployment: string | undefined) => Server | undefined
}

type Attributes = Readonly<Record<string, unknown>>

/** Whether somebody looks at spans. Effect makes them in any case, and they would cost as much. */
export const isTraced = ({ context }: Fiber.Fiber<unknown, unknown>): boolean =>
  Context.getOrUndefined(context, Tracer.Tracer) !== undefined && Context.get(context, References.TracerEnabled)

/** The name of the provider in the conventions. */
export const provider = "azure.ai.openai"

const ofServer = (server: Server | undefined): Attributes => ({
  "server.address": server?.address,
  "server.port": server?.port
})

/** The attributes of a call when it begins, in the words of OpenTelemetry, and in words of our own where it has none. */
const ofRequest = (operation: Operation, deployment: string, request: Partial<O1Request>): Attributes => ({
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": provider,
  // the name before 1.37 of the conventions
  "gen_ai.system": provider,
  "gen_ai.request.model": deployment,
  "gen_ai.request.max_tokens": request.maxCompletionTokens,
  "gen_ai.request.seed": request.seed,
  "gen_ai.request.temperature": request.temperature,
  "gen_ai.request.top_p": request.topP,
  "gen_ai.output.type": request.responseFormat === undefined || request.responseFormat === "text" ? "text" : "json",
  "azure_o1.reasoning_effort": request.reasoningEffort,
  "azure_o1.operation": operation
})

/** What the call has cost is told of the call alone, so that sums over spans are right. */
const ofUsage = (usage: O1Completion["usage"]): Attributes =>
  usage === undefined ? {} : {
    "gen_ai.usage.input_tokens": usage.input,
    "gen_ai.usage.output_tokens": usage.output,
    "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    "gen_ai.usage.cache_read.input_tokens": usage.cachedInput
  }

const ofCompletion = ({ finishReason, id, model }: O1Completion): Attributes => ({
  "gen_ai.response.id": id === "" ? undefined : id,
  "gen_ai.response.model": model === "" ? undefined : model,
  "gen_ai.response.finish_reasons": [finishReason]
})

const set = (span: Tracer.Span, attributes: Attributes): void => {
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) span.attribute(key, value)
}

/** A failure in our own words: those of the service and of the model may repeat the prompt. */
const ownWords = (error: O1Error): Error => {
  const { _tag, message } = O1Error.with(error, { said: undefined, detail: undefined })
  const own = new Error(message)
  own.name = _tag
  own.stack = `${_tag}: ${message}`
  return own
}

const told = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  const error = errorOf(exit)
  return error === undefined ? Exit.isSuccess(exit) ? Exit.void : exit : Exit.fail(ownWords(error))
}

const ofOutcome = (exit: Exit.Exit<unknown, unknown>): Attributes => ({
  "azure_o1.outcome": outcomeOf(exit),
  "error.type": Exit.isSuccess(exit) ? undefined : outcomeOf(exit)
})

/** The spans of one call: its own, and of each attempt one that goes from the request to the end of the answer. */
export class Tracing implements CallObserver {
  readonly span: Tracer.Span
  private readonly tracer: Tracer.Tracer
  private readonly clock: Clock.Clock
  private readonly annotations: Attributes
  private attempt: Tracer.Span | undefined = undefined
  private attempts = 0
  private number = 1
  /** Before the next attempt. */
  private wait = Duration.zero
  private transport: Transport | undefined = undefined

  private readonly serverOf: Traced["serverOf"]

  private constructor(fiber: Fiber.Fiber<unknown, unknown>, span: Tracer.Span, { serverOf }: Traced) {
    this.span = span
    this.serverOf = serverOf
    this.tracer = fiber.getRef(Tracer.Tracer)
    this.clock = fiber.getRef(Clock.Clock)
    this.annotations = fiber.getRef(References.TracerSpanAnnotations)
  }

  static readonly begin = (
    fiber: Fiber.Fiber<unknown, unknown>,
    traced: Traced,
    operation: Operation,
    request: Partial<O1Request> = {}
  ): Effect.Effect<Tracing> =>
    Effect.map(Effect.makeSpan(`chat ${traced.name}`, { kind: "client" }), (span) => {
      set(span, { ...ofRequest(operation, traced.name, request), ...ofServer(traced.serverOf(undefined)) })
      return new Tracing(fiber, span, traced)
    })

  private get now(): bigint {
    return this.clock.currentTimeNanosUnsafe()
  }

  began(at: bigint, deployment: string | undefined): void {
    this.endAttempt(Exit.void)
    this.attempt = this.spanOf(deployment, this.clock.monotonicTimeNanosUnsafe() - at)
    this.wait = Duration.zero
  }

  private spanOf(deployment: string | undefined, ago: bigint): Tracer.Span {
    const { annotations, number, span, tracer, wait } = this
    this.attempts++
    const attempt = tracer.span({
      name: "AzureO1.attempt",
      parent: Option.some(span),
      annotations: Context.empty(),
      links: [],
      startTime: this.now - ago,
      kind: "client",
      root: false,
      sampled: span.sampled
    })
    set(attempt, {
      ...annotations,
      ...ofServer(this.serverOf(deployment)),
      "azure_o1.deployment": deployment,
      "azure_o1.attempt.number": number,
      "azure_o1.attempt.wait_ms": Duration.toMillis(wait)
    })
    return attempt
  }

  sent(transport: Transport): void {
    this.transport = transport
  }

  received(): void {}

  readonly turnEnded = ({ exit }: Turn): void => {
    // of a stream that is its first content
    if (!Exit.isSuccess(exit) || completionOf(exit) !== undefined) this.endAttempt(exit)
  }

  readonly endedBeside = ({ deployment, duration, exit }: Turn): void =>
    this.end(this.spanOf(deployment, Duration.toNanosUnsafe(duration)), exit, undefined, undefined)

  readonly listener: Telemetry.Listener = (event) => {
    if (event._tag === "AttemptStarted") this.number = event.attempt
    if (event._tag === "RetryScheduled") {
      this.wait = event.delay
      this.endAttempt(Exit.failCause(event.cause))
    }
  }

  readonly ended = (
    exit: Exit.Exit<unknown, O1Error>,
    completion: O1Completion | undefined
  ): Effect.Effect<void> =>
    Effect.sync(() => {
      this.endAttempt(exit, completion)
      const error = errorOf(exit)
      const answer = completion ?? error?.completion
      set(this.span, {
        ...answer === undefined ? {} : ofCompletion(answer),
        ...ofUsage(answer?.usage ?? error?.usage),
        ...ofOutcome(exit),
        "azure_o1.attempts": this.attempts
      })
      this.span.end(this.now, told(exit))
    })

  private endAttempt(exit: Exit.Exit<unknown, unknown>, completion = completionOf(exit)): void {
    const { attempt, transport } = this
    if (attempt === undefined) return
    this.attempt = undefined
    this.transport = undefined
    this.end(attempt, exit, completion, transport)
  }

  private end(
    attempt: Tracer.Span,
    exit: Exit.Exit<unknown, unknown>,
    completion: O1Completion | undefined,
    transport: Transport | undefined
  ): void {
    const error = errorOf(exit)
    set(attempt, {
      ...ofOutcome(exit),
      "azure_o1.transport": transport,
      "azure.service.request.id": completion?.requestId ?? error?.requestId,
      "azure_o1.region": completion?.region ?? error?.region,
      "http.response.status_code": error?.status
    })
    attempt.end(this.now, told(exit))
  }
}
