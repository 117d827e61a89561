// What a raw server can do to a request, one action after another: `[head(200, sse), say(created(0)), silence]`.
import { gzipSync } from "node:zlib"
import type { Action, Cut } from "./raw-server.ts"

/** The headers of an event stream. */
export const sse = { "content-type": "text/event-stream" }

/** The first line and the headers. Without a `content-length` the body comes in chunks, with `connection: close` as it is. */
export const head = (status: number, headers: Readonly<Record<string, string>> = {}): Action => (turn) =>
  turn.head(status, headers)

/** A piece of the body. */
export const say = (...texts: ReadonlyArray<string>): Action => (turn) => turn.body(texts.join(""))

/** The body is complete. */
export const end: Action = (turn) => turn.end()

/** Headers and pieces of an event stream. It is not ended. */
export const streaming = (...texts: ReadonlyArray<string>): Action => async (turn) => {
  await turn.head(200, sse)
  await turn.body(texts.join(""))
}

/** An event stream that ends after these pieces. */
export const stream = (...texts: ReadonlyArray<string>): Action => async (turn) => {
  await streaming(...texts)(turn)
  await turn.end()
}

/** An answer in one piece: text as it is, everything else as JSON. */
export const answer = (
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
): Action =>
async (turn) => {
  const text = typeof body === "string" ? body : JSON.stringify(body)
  await turn.head(status, {
    "content-type": "application/json",
    ...headers,
    "content-length": `${Buffer.byteLength(text)}`
  })
  await turn.body(text)
  await turn.end()
}

/** The same, compressed, whether that was asked for or not. */
export const gzipped = (
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {}
): Action =>
async (turn) => {
  const bytes = gzipSync(text)
  await turn.head(status, { ...headers, "content-encoding": "gzip", "content-length": `${bytes.length}` })
  await turn.body(bytes)
  await turn.end()
}

/** Nothing for so long: before the head it is a slow create. */
export const wait = (millis: number): Action => (turn) => turn.wait(millis)

/** Nothing ever again, with the connection open: what a router does that has dropped it without a word. */
export const silence: Action = (turn) => turn.gone

/** A piece of the body, so many bytes at a time. */
export const slowly = (text: string, bytes: number, every: number): Action => async (turn) => {
  const all = Buffer.from(text)
  /* oxlint-disable no-await-in-loop -- one piece follows another */
  for (let at = 0; at < all.length && !turn.over(); at += bytes) {
    await turn.body(all.subarray(at, at + bytes))
    await turn.wait(every)
  }
}

/** A comment again and again: so often, or for ever. */
export const heartbeats = (every: number, times = Infinity, text = ": keep-alive\n\n"): Action => async (turn) => {
  /* oxlint-disable no-await-in-loop -- one beat follows another */
  for (let beat = 0; beat < times && !turn.over(); beat++) {
    await turn.wait(every)
    await turn.body(text)
  }
}

/** The end of the connection, here. */
export const cut = (how: Cut): Action => (turn) => turn.cut(how)

/** The end of the connection once so many bytes of the body are out, whichever action brings them. */
export const cutAfter = (bytes: number, how: Cut): Action => (turn) => turn.cutAfter(bytes, how)

/** Bytes as they are: no HTTP, or HTTP that nobody expects. */
export const bytes = (text: string | Uint8Array): Action => (turn) => turn.bytes(text)

/** A `100 Continue` that nobody asked for. */
export const continues: Action = (turn) => turn.bytes("HTTP/1.1 100 Continue\r\n\r\n")

/** How Azure says that there is no such response, in its words for a stored one. */
export const notFound = answer(404, {
  error: {
    message: "Response with id 'resp_1' not found.",
    type: "invalid_request_error",
    param: "response_id",
    code: null
  }
})

/** A rate limit. */
export const busy = (headers: Readonly<Record<string, string>> = { "retry-after-ms": "1" }): Action =>
  answer(429, { error: { code: "429", message: "Requests to the deployment have exceeded its rate limit." } }, headers)

/** An error of the service. */
export const down = (status = 503): Action =>
  answer(status, { error: { code: "server_error", message: "The server had an error." } })
