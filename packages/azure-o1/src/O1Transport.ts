/**
 * One attempt on the wire, without any policy: a request goes out, and an answer or a typed error comes back.
 *
 * It runs on any `HttpClient`. A success needs proof that the service has ended the answer. An answer that is cut off is an
 * error with the text so far. If the consumer stops or is interrupted, the stream is cancelled on the wire. The client
 * follows no redirect, because the key would go along.
 *
 * **The transport ladder**
 *
 * The client asks for the answer as a stream. If the model does not stream, as o1 on Azure, or the deployment refuses to, it
 * asks for a response made in the background and polls it. If that is refused too, it asks for the answer in one piece. It
 * remembers for a while what a deployment refuses (`memory` in the configuration); then one call asks again. `complete` and
 * `stream` go the same way: an answer in one piece is given out as a stream. One difference is left: `complete` makes one plain
 * request if `maxCompletionTokens` is at most 500, and at most 10 for each second of the attempt's limit: such an answer ends in time. With the Responses API the
 * service keeps a stream, so a broken connection continues without loss or repetition.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as AzureO1Config from "./AzureO1Config.ts"
import * as ModelProfile from "./ModelProfile.ts"
import type { O1Completion, ResumeToken } from "./O1Completion.ts"
import { O1Error, O1ProtocolError } from "./O1Error.ts"
import type { AttemptEvent } from "./O1Event.ts"
import type { Fact } from "./O1Fact.ts"
import type { O1Request } from "./O1Request.ts"
import { storeProblem } from "./request/problem.ts"
import { monotonic } from "./transport/asking.ts"
import * as attempts from "./transport/attempts.ts"
import { asStreamedCall, Call, CurrentCall } from "./transport/call.ts"
import * as chat from "./transport/chat.ts"
import * as connections from "./transport/connection.ts"
import * as kept from "./transport/kept.ts"
import { Knowledge } from "./transport/knowledge.ts"
import type { Rung } from "./transport/ladder.ts"
import * as responses from "./transport/responses.ts"
import { CurrentWatch, unlimited } from "./transport/watch.ts"
import { watchedStream } from "./transport/watched.ts"
import { emulate } from "./wire/answer.ts"

/** An answer that breaks off may be asked for again where nobody has seen of it. */
const unseen = (error: O1Error): O1Error =>
  error._tag === "O1ProtocolError" && error.partialText !== "" && error.shouldRetry === undefined
    ? O1Error.with(error, { shouldRetry: true })
    : error

const make = Effect.fnUntraced(function*(options: AzureO1Config.AzureO1Config) {
  const config = AzureO1Config.validate(options)
  const { deployment, heal = false } = config
  const knowledge = new Knowledge(config)

  const { host, hostname, port, protocol } = new URL(config.endpoint)

  /** The last word on an answer: whether it is from the model that was expected, and who knows its items. */
  const seal = (completion: O1Completion): O1Completion => {
    const { metadata, model, warnings } = completion
    const told = metadata.output.length === 0 ? completion : { ...completion, metadata: { ...metadata, host } }
    return heal || ModelProfile.serves(knowledge.configured, model)
      ? told
      : { ...told, warnings: [...warnings, knowledge.mismatch(model)] }
  }

  const connection = connections.make(config, yield* HttpClient.HttpClient)
  const questions = responses.questions(config, connection)
  const viaResponses = responses.make(config, connection, questions, seal)
  const viaKept = kept.make(config, connection, questions, seal)
  const viaChat = chat.make(config, connection, seal)

  const on = (rung: Rung, request: O1Request): Stream.Stream<AttemptEvent, O1Error> => {
    const via = knowledge.apiFor(request) === "chat" ? viaChat : viaResponses
    switch (rung) {
      case "kept":
        return viaKept.kept(request)
      case "stream":
        return via.stream(request)
      case "background":
        return Stream.fromIterableEffect(Effect.map(viaKept.background(request), emulate))
      case "plain":
        return Stream.fromIterableEffect(Effect.map(via.plain(request), emulate))
    }
  }

  const attempt = attempts.make({ knowledge, heal, on, admitted: connection.admitted })

  /** An attempt by itself, outside of any call, is a call of its own, with the clocks of the configuration. */
  const byItself = (events: Stream.Stream<AttemptEvent, O1Error>): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.unwrap(Effect.gen(function*() {
      const call = yield* CurrentCall
      const watch = yield* CurrentWatch
      const timed = watch === undefined ? watchedStream(events, () => unlimited) : events
      return call === undefined ? asStreamedCall(timed, new Call()) : timed
    }))

  const events = (request: O1Request, whole: boolean): Stream.Stream<AttemptEvent, O1Error> => {
    const problem = storeProblem(request, config)
    return problem === undefined ? byItself(attempt(request, whole)) : Stream.fail(problem)
  }

  /** The end of an attempt. The caller does not hear of earlier content, but the watch does. */
  const complete = (request: O1Request): Effect.Effect<O1Completion, O1Error> =>
    Effect.gen(function*() {
      const call = yield* CurrentCall
      const watch = yield* CurrentWatch
      let completion: O1Completion | undefined
      yield* Stream.runForEachArray(events(request, true), (events) =>
        Effect.sync(() => {
          for (const event of events) {
            call?.heard(event)
            if (event._tag === "Finished") completion = event.completion
          }
          watch?.said(events[events.length - 1]!._tag)
        }))
      return completion ?? (yield* new O1ProtocolError({ kind: "truncated", deployment }))
    }).pipe(Effect.mapError(unseen))

  return O1Transport.of({
    deployment,
    server: { address: hostname, port: port === "" ? protocol === "http:" ? 80 : 443 : Number(port) },
    profile: () => knowledge.configured,
    adopted: () => knowledge.adopted,
    learned: Effect.map(monotonic, (now) => knowledge.facts(now)),
    stream: (request) => events(request, false),
    complete,
    resume: (token) => byItself(viaKept.resume(token)),
    cancel: viaKept.cancel
  })
})

/**
 * @category services
 * @since 0.1.0
 */
export class O1Transport extends Context.Service<O1Transport, {
  readonly deployment: string
  /** Where the deployment is, for spans. */
  readonly server?: { readonly address: string; readonly port: number } | undefined
  /** What the model can be asked, by the configuration. */
  readonly profile: () => ModelProfile.ModelProfile
  /** With `heal`: the profile of the model that really answers, if it is another one. */
  readonly adopted?: () => ModelProfile.ModelProfile | undefined
  /** The facts about the deployment that count now. */
  readonly learned?: Effect.Effect<ReadonlyArray<Fact>>
  /** One attempt whose answer comes in one piece. */
  readonly complete: (request: O1Request) => Effect.Effect<O1Completion, O1Error>
  /** One attempt whose answer comes as it is made, and ends with `Finished`. */
  readonly stream: (request: O1Request) => Stream.Stream<AttemptEvent, O1Error>
  /** The events of a response that the service keeps, from the token on. */
  readonly resume: (token: ResumeToken) => Stream.Stream<AttemptEvent, O1Error>
  /** Tells the service to stop making a response. */
  readonly cancel: (token: ResumeToken) => Effect.Effect<void, O1Error>
}>()("@effect-resilience/azure-o1/O1Transport") {
  /**
   * The transport of one deployment. A bad configuration is a defect that names the field.
   */
  static readonly make = (
    config: AzureO1Config.AzureO1Config
  ): Effect.Effect<O1Transport["Service"], never, HttpClient.HttpClient> => make(config)

  /** {@link O1Transport.make} as a layer. */
  static readonly layer = (
    config: AzureO1Config.AzureO1Config
  ): Layer.Layer<O1Transport, never, HttpClient.HttpClient> => Layer.effect(O1Transport, make(config))
}
