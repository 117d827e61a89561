/** Writing a reply to a socket: at its pace, in its pieces, and up to where it breaks. */
import * as Effect from "effect/Effect"
import type * as http from "node:http"
import type * as net from "node:net"
import { type FakeBreak, millis, type Reply } from "../FakeReply.ts"
import type { StoredResponse } from "./fakeStore.ts"
import { breakAt, schedule, type Transcript } from "./fakeTranscript.ts"

export interface Exchange {
  readonly response: http.ServerResponse
  readonly reply: Reply
}

/** milliseconds between two comments of a connection that is only kept alive */
const pingInterval = 20

/** Writes, and waits until it has gone out, so that pieces arrive as pieces. */
const write = (response: http.ServerResponse, bytes: Uint8Array | string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    response.write(bytes, () => resume(Effect.void))
  })

// a turn of the event loop in between keeps the kernel from joining them
const pause = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Node 22 closes a socket in an orderly way if it is to be reset in the moment after something was written. */
const settled = Effect.callback<void>((resume) => {
  const timer = setTimeout(() => resume(Effect.void), 5)
  return Effect.sync(() => clearTimeout(timer))
})

/** Waits for what comes next, with the comments of a connection that is to look alive. */
const waiting = ({ reply, response }: Exchange, next: Effect.Effect<void>): Effect.Effect<void> => {
  const { heartbeat } = reply
  if (heartbeat === undefined) return next
  const beat = Effect.andThen(Effect.sleep(millis(heartbeat)), write(response, ": keep-alive\n\n"))
  return Effect.raceFirst(next, Effect.forever(beat))
}

const send = ({ reply, response }: Exchange, text: string): Effect.Effect<void> => {
  const size = reply.bytes
  if (size === undefined) return write(response, text)
  const bytes = new TextEncoder().encode(text)
  const pieces = Array.from(
    { length: Math.ceil(bytes.length / size) },
    (_, i) => bytes.subarray(i * size, (i + 1) * size)
  )
  return Effect.forEach(pieces, (piece) => Effect.andThen(write(response, piece), pause), { discard: true })
}

/** Ends the reply, in the way of its fault. `own` is what the fault has to say. */
export const end = (exchange: Exchange, own: (kind: FakeBreak) => string): Effect.Effect<void> => {
  const { reply, response } = exchange
  const kind = reply.fault?.kind
  const close = Effect.sync(() => void response.end())
  switch (kind) {
    case undefined:
    case "truncate":
      return close
    case "stall":
    case "linger":
      return Effect.never
    case "reset":
      return Effect.andThen(settled, Effect.sync(() => void (response.socket as net.Socket).resetAndDestroy()))
    case "ping":
      return Effect.forever(Effect.andThen(write(response, own(kind)), Effect.sleep(pingInterval)))
    case "malformed":
    case "error":
    case "flat-error":
    case "null-error":
      return Effect.andThen(Effect.suspend(() => send(exchange, own(kind))), close)
  }
}

const plainError = (kind: FakeBreak): string => {
  const error = { code: "server_error", message: "The server had an error.", type: "server_error" }
  switch (kind) {
    case "malformed":
      return "}{"
    case "ping":
      return "\n"
    case "flat-error":
      return JSON.stringify({ statusCode: 500, message: error.message })
    default:
      return JSON.stringify({ error })
  }
}

const instead = new Set<FakeBreak>(["error", "flat-error", "null-error", "ping"])

/** A body in one piece. */
export const sendPlain = (exchange: Exchange, body: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { reply, response } = exchange
    const kind = reply.fault?.kind
    if (kind === undefined && reply.bytes === undefined) return Effect.sync(() => void response.end(body))
    response.flushHeaders()
    const whole = kind === undefined || kind === "linger"
    const sent = whole ? body : instead.has(kind) ? "" : body.slice(0, Math.floor(body.length / 2))
    return Effect.andThen(sent === "" ? Effect.void : send(exchange, sent), end(exchange, plainError))
  })

const textOf = ({ events }: Transcript, from: number, until: number): string => {
  let text = ""
  for (let index = from; index < until; index++) text += events[index]!.text
  return text
}

/** The index at which the connection ends. */
const limitOf = (transcript: Transcript, { fault }: Reply, from: number): number =>
  fault === undefined || fault.kind === "linger"
    ? transcript.events.length
    : breakAt(transcript, fault.after, from)

const saying = (transcript: Transcript, index: number) => (kind: FakeBreak): string =>
  kind === "ping" ? ": ping\n\n" : transcript.broken(kind, index)

/** An answer that is made while it is sent, and stops when the connection does. `complete` is told before the end is. */
export const sendStream = (
  exchange: Exchange,
  transcript: Transcript,
  complete: () => void = () => {}
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { reply, response } = exchange
    const dues = schedule(transcript, reply)
    const limit = limitOf(transcript, reply, 0)
    if (dues.length === 1 && dues[0]!.wait === 0 && reply.fault === undefined && reply.bytes === undefined) {
      // all at once, and yet a stream
      response.setHeader("transfer-encoding", "chunked")
      complete()
      return void response.end(textOf(transcript, 0, limit))
    }
    response.flushHeaders()
    let at = 0
    for (const { until, wait } of dues) {
      if (at >= limit) break
      if (wait > 0) yield* waiting(exchange, Effect.sleep(wait))
      const next = Math.min(until, limit)
      yield* send(exchange, textOf(transcript, at, next))
      at = next
    }
    if (reply.fault === undefined) complete()
    yield* end(exchange, saying(transcript, limit))
  })

/** The events of a stored response from the one at `from`: those that there are, and then the others as they come. */
export const follow = (exchange: Exchange, stored: StoredResponse, from: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { reply, response } = exchange
    const { transcript } = stored
    const limit = limitOf(transcript, reply, from)
    response.flushHeaders()
    let at = from
    while (at < limit) {
      yield* waiting(exchange, stored.past(at))
      const next = Math.min(stored.emitted, limit)
      if (next <= at) break
      yield* send(exchange, textOf(transcript, at, next))
      at = next
    }
    yield* end(exchange, saying(transcript, at))
  })
