/**
 * A deployment of a reasoning model in virtual time, as an HTTP client that answers by itself. It charges, refuses and bills as
 * Azure does.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import type { Draw } from "./draws.ts"
import { Meter, type Quota } from "./meter.ts"
import type { World } from "./world.ts"

/** What a prompt is: how long the model thinks about it does not change much from one attempt to the next. */
export interface Prompt {
  /** Milliseconds. */
  readonly thinks: number
  readonly prompt: number
  readonly completion: number
}

/** A bad time, in milliseconds since the start. */
export interface Incident {
  readonly from: number
  readonly until: number
  /** Answers take so many times as long; 503 at once; connections that bring nothing; 429 that says no pause. */
  readonly what: { readonly slow: number } | "down" | "silent" | "busy"
}

export interface ServiceOptions {
  readonly prompts: ReadonlyArray<Prompt>
  readonly incidents: ReadonlyArray<Incident>
  readonly quota: Quota | undefined
  /** The shares of requests that fail at once, and that are never answered. */
  readonly errors: number
  readonly silent: number
}

/** Dollars for a million tokens: o1 on Azure, list price of 2025. */
const price = { prompt: 15, completion: 60 }

export const costOf = ({ completion, prompt }: { readonly prompt: number; readonly completion: number }): number =>
  (prompt * price.prompt + completion * price.completion) / 1_000_000

interface Stored {
  readonly id: string
  readonly body: Asked
  readonly endsAt: number
  readonly answer: Answer
  readonly number: number
  cancelledAt: number | undefined
}

interface Asked {
  readonly user: string
  readonly max_completion_tokens?: number
  readonly max_output_tokens?: number
}

/** How an answer goes. */
interface Answer {
  readonly takes: number
  readonly prompt: number
  readonly completion: number
  readonly isCut: boolean
}

interface Reply {
  readonly status: number
  readonly body: object
  readonly headers?: Readonly<Record<string, string>>
}

/** The tokens that a prompt is charged, beside the most that it may answer. */
const promptEstimate = 10

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** An answer whose body is there at once. */
const respond = (
  request: HttpClientRequest.HttpClientRequest,
  { body, headers, status }: Reply
): HttpClientResponse.HttpClientResponse => {
  const bytes = encoder.encode(JSON.stringify(body))
  const web = new Response(null, { status, headers: { "content-type": "application/json", ...headers } })
  // a body of the platform would be read in real time
  return Object.create(HttpClientResponse.fromWeb(request, web), { stream: { value: Stream.succeed(bytes) } })
}

const bodyOf = ({ body }: HttpClientRequest.HttpClientRequest): Asked =>
  body._tag === "Uint8Array" ? JSON.parse(decoder.decode(body.body)) : { user: "0" }

const failed = (message: string, code: string): object => ({ error: { code, message, type: "error", param: null } })

export class Service {
  /** Requests for an answer, and what became of them. */
  requests = 0
  refused = 0
  failed = 0
  polls = 0
  /** Dollars for answers that were generated, received or not. */
  billed = 0
  /** Requests for an answer in each minute. */
  readonly perMinute: Array<number> = []
  private readonly world: World
  private readonly draw: Draw
  private readonly options: ServiceOptions
  private readonly meter: Meter | undefined
  private readonly stored = new Map<string, Stored>()

  constructor(world: World, draw: Draw, options: ServiceOptions) {
    this.world = world
    this.draw = draw
    this.options = options
    this.meter = options.quota && new Meter(options.quota)
  }

  readonly client = HttpClient.make((request, url) => {
    const path = url.pathname
    const answered = request.method === "GET"
      ? this.poll(path.slice(path.lastIndexOf("/") + 1))
      : path.endsWith("/cancel")
      ? this.cancel(path.split("/").at(-2)!)
      : this.answer(bodyOf(request), path.endsWith("/responses"))
    return answered.pipe(
      Effect.map((reply) => respond(request, reply)),
      Effect.mapError((code) =>
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({ request, cause: Object.assign(new Error(code), { code }) })
        })
      )
    )
  })

  private incident(what: string): Incident | undefined {
    const { now } = this.world
    return this.options.incidents.find((one) =>
      now >= one.from && now < one.until && (typeof one.what === "string" ? one.what : "slow") === what
    )
  }

  private answerTo({ max_completion_tokens: chat, max_output_tokens: most = chat, user }: Asked): Answer {
    const { completion, prompt, thinks } = this.options.prompts[Number(user)]!
    // the same prompt takes about as long again: 20 % more or less
    const varies = 0.8 + 0.4 * this.draw.next()
    const whole = Math.round(completion * varies)
    const made = Math.min(whole, most ?? Infinity)
    const slow = this.incident("slow")
    const factor = slow !== undefined && typeof slow.what === "object" ? slow.what.slow : 1
    return { takes: thinks * varies * factor * made / whole, prompt, completion: made, isCut: made < whole }
  }

  /** Why a request is not let in, if it is not; `undefined` if it is. */
  private refusal(estimate: number): Reply | undefined {
    const { now } = this.world
    const refused = this.meter?.admit(now, estimate)
    const headers = this.meter?.headers(now) ?? {}
    if (refused === undefined && this.incident("busy") === undefined) return undefined
    this.refused++
    const pause = refused === undefined ? {} : { "retry-after": String(Math.ceil(refused / 1000)) }
    return { status: 429, headers: { ...headers, ...pause }, body: failed("Too many requests.", "429") }
  }

  private answer(body: Asked, isKept: boolean): Effect.Effect<Reply, string> {
    return Effect.gen({ self: this }, function*() {
      const { draw, options, world } = this
      const number = this.requests++
      const minute = Math.floor(world.now / 60_000)
      this.perMinute[minute] = (this.perMinute[minute] ?? 0) + 1
      yield* world.sleep(25 + 50 * draw.next())
      if (this.incident("silent") !== undefined || draw.next() < options.silent) return yield* Effect.never
      if (this.incident("down") !== undefined || draw.next() < options.errors) {
        this.failed++
        return { status: 503, body: failed("The service is unavailable.", "unavailable") }
      }
      const answer = this.answerTo(body)
      const most = body.max_completion_tokens ?? body.max_output_tokens ?? answer.completion
      const refused = this.refusal(promptEstimate + most)
      if (refused !== undefined) return refused
      const headers = this.meter?.headers(world.now) ?? {}
      if (isKept) {
        const id = `resp_${number}`
        const endsAt = world.now + answer.takes
        const stored: Stored = { id, body, endsAt, answer, number, cancelledAt: undefined }
        this.stored.set(id, stored)
        world.at(endsAt, () => {
          if (stored.cancelledAt === undefined) this.billed += costOf(answer)
        })
        return { status: 200, headers, body: this.shown(stored) }
      }
      // it is generated to its end, and billed, whether anybody waits for it or not
      world.at(world.now + answer.takes, () => {
        this.billed += costOf(answer)
      })
      yield* world.sleep(answer.takes)
      return {
        status: 200,
        headers,
        body: {
          id: `chatcmpl-${number}`,
          object: "chat.completion",
          created: 0,
          model: "o1-2024-12-17",
          choices: [{
            index: 0,
            message: { role: "assistant", content: answer.isCut ? "" : "42" },
            finish_reason: answer.isCut ? "length" : "stop"
          }],
          usage: {
            prompt_tokens: answer.prompt,
            completion_tokens: answer.completion,
            completion_tokens_details: { reasoning_tokens: answer.completion - (answer.isCut ? 0 : 1) }
          }
        }
      }
    })
  }

  private shown({ answer, body, cancelledAt, endsAt, id }: Stored): object {
    const status = cancelledAt !== undefined
      ? "cancelled"
      : this.world.now < endsAt
      ? "in_progress"
      : answer.isCut
      ? "incomplete"
      : "completed"
    const ended = status === "completed" || status === "incomplete"
    return {
      id,
      object: "response",
      created_at: 0,
      status,
      background: true,
      error: null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      max_output_tokens: body.max_output_tokens ?? null,
      model: "o1-2024-12-17",
      output: status === "completed"
        ? [{
          id: `msg_${id}`,
          type: "message",
          status: "completed",
          role: "assistant",
          content: [{ type: "output_text", text: "42", annotations: [] }]
        }]
        : [],
      usage: ended
        ? {
          input_tokens: answer.prompt,
          output_tokens: answer.completion,
          output_tokens_details: { reasoning_tokens: answer.completion - 1 }
        }
        : null
    }
  }

  private poll(id: string): Effect.Effect<Reply, string> {
    return Effect.gen({ self: this }, function*() {
      this.polls++
      yield* this.world.sleep(25 + 50 * this.draw.next())
      if (this.incident("silent") !== undefined) return yield* Effect.never
      if (this.incident("down") !== undefined) return { status: 503, body: failed("Unavailable.", "unavailable") }
      const stored = this.stored.get(id)
      return stored === undefined
        ? { status: 404, body: failed("No such response.", "not_found") }
        : { status: 200, body: this.shown(stored) }
    })
  }

  private cancel(id: string): Effect.Effect<Reply, string> {
    return Effect.gen({ self: this }, function*() {
      yield* this.world.sleep(50)
      const stored = this.stored.get(id)
      if (stored === undefined) return { status: 404, body: failed("No such response.", "not_found") }
      if (this.world.now < stored.endsAt) stored.cancelledAt = this.world.now
      return { status: 200, body: this.shown(stored) }
    })
  }
}
