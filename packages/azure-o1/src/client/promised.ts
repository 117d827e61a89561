import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import type { O1Client } from "../O1Client.ts"
import { O1ConnectionError, type O1Error } from "../O1Error.ts"
import type { Abortable, O1Promise } from "../O1Promise.ts"

const closed = (): O1Error => new O1ConnectionError({ kind: "unusable", detail: "the client is closed" })

/** Gives what `inner` gives until one of the signals says that nobody wants it any more, whether somebody reads or not. */
const abortable = <A>(
  inner: AsyncIterator<A>,
  signals: ReadonlyArray<AbortSignal>,
  leaving: Set<Promise<unknown>>
): AsyncIterator<A> => {
  let left: Promise<unknown> | undefined
  const leave = (): Promise<unknown> => {
    forget()
    if (left !== undefined) return left
    // what goes wrong while a stream is closed is nothing that its reader can be told
    const ended = Promise.resolve(inner.return?.()).then(constVoid, constVoid)
    left = ended.then(() => leaving.delete(ended))
    leaving.add(ended)
    return left
  }
  const forget = (): void => signals.forEach((signal) => signal.removeEventListener("abort", leave))
  signals.forEach((signal) => signal.addEventListener("abort", leave))
  return {
    next: async () => {
      if (signals.some(({ aborted }) => aborted)) await leave()
      try {
        const result = await inner.next()
        signals.forEach((signal) => signal.throwIfAborted())
        if (result.done === true) forget()
        return result
      } catch (error) {
        forget()
        throw error
      }
    },
    return: async () => {
      await leave()
      return { done: true, value: undefined }
    }
  }
}

/** The client that a layer has, for programs without Effect; it lives until it is closed. */
export const promised = <R>(layer: Layer.Layer<R, unknown>, client: Effect.Effect<O1Client, never, R>): O1Promise => {
  const runtime = ManagedRuntime.make(layer)
  const closing = new AbortController()
  const leaving = new Set<Promise<unknown>>()

  const run = async <A>(call: (o1: O1Client) => Effect.Effect<A, O1Error>, { signal }: Abortable = {}): Promise<A> => {
    closing.signal.throwIfAborted()
    const exit = await runtime.runPromiseExit(Effect.flatMap(client, call), signal === undefined ? {} : { signal })
    if (Exit.isSuccess(exit)) return exit.value
    if (!Cause.hasInterruptsOnly(exit.cause)) throw Cause.squash(exit.cause)
    throw signal?.aborted === true ? signal.reason : closing.signal.reason
  }

  const iterate = <A>(
    call: (o1: O1Client) => Stream.Stream<A, O1Error>,
    { signal }: Abortable = {}
  ): AsyncIterable<A> => {
    const items = Stream.unwrap(Effect.map(
      runtime.contextEffect,
      (context) => Stream.provideContext(Stream.unwrap(Effect.map(client, call)), context)
    ))
    const signals = signal === undefined ? [closing.signal] : [closing.signal, signal]
    return {
      [Symbol.asyncIterator]: () =>
        abortable(Stream.toAsyncIterableWith(items, Context.empty())[Symbol.asyncIterator](), signals, leaving)
    }
  }

  const close = async (): Promise<void> => {
    if (!closing.signal.aborted) closing.abort(closed())
    await Promise.allSettled(leaving)
    await runtime.dispose()
  }

  return {
    complete: (request, options) => run((o1) => o1.complete(request, options), options),
    stream: (request, options) => iterate((o1) => o1.stream(request, options), options),
    tokens: (request, options) => iterate((o1) => o1.tokens(request, options), options),
    object: (schema, request, options) => run((o1) => o1.object(schema, request, options), options),
    resume: (token, options) => iterate((o1) => o1.resume(token, options), options),
    cancel: (token) => run((o1) => o1.cancel(token)),
    close,
    [Symbol.asyncDispose]: close
  }
}
