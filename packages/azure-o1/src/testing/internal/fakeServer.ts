/** The server: decides how each request is answered, and keeps the record. */
import * as Effect from "effect/Effect"
import type * as http from "node:http"
import * as json from "../../wire/json.ts"
import type { FakeAzureOptions, FakeRequest } from "../FakeOptions.ts"
import { faultOf, millis, plainReply, type Reply } from "../FakeReply.ts"
import * as errors from "./fakeErrors.ts"
import * as faults from "./fakeFaults.ts"
import { estimate, RateLimiter } from "./fakeLimits.ts"
import * as models from "./fakeModels.ts"
import * as objections from "./fakeObjections.ts"
import { isSaid, perform, type Plan } from "./fakePlan.ts"
import { apiOf, hasResponses, type Route, routeOf } from "./fakeRoutes.ts"
import type { StoredResponse } from "./fakeStore.ts"
import { promptOf } from "./fakeTranscript.ts"

interface Asked {
  readonly url: URL
  readonly headers: http.IncomingHttpHeaders
  readonly body: unknown
}

type Noted = Pick<FakeRequest, "operation" | "fault" | "refused">

const said = (
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
): Plan & { readonly _tag: "Said" } => ({
  _tag: "Said",
  reply: { ...plainReply, status, body, headers }
})

const refused = ({ body, headers, limit, status }: errors.Refusal): Plan => ({ ...said(status, body, headers), limit })

export class FakeServer {
  readonly deployment: string
  readonly apiKey: string
  readonly requests: Array<FakeRequest> = []
  readonly script: Array<Reply>
  readonly reads: Array<Reply> = []
  readonly cancels: Array<Reply> = []
  readonly stored = new Map<string, StoredResponse>()
  private readonly options: FakeAzureOptions
  private readonly model: string
  readonly limiter: RateLimiter
  private readonly draw: () => faults.Injection | undefined
  private readonly readableAfter: number
  private readonly start = performance.now()

  constructor(options: FakeAzureOptions) {
    this.options = options
    this.deployment = options.deployment ?? "o1"
    this.apiKey = options.apiKey ?? "fake-key"
    this.model = options.model ?? "o1-2024-12-17"
    this.script = [...options.script ?? []]
    this.readableAfter = millis(options.readableAfter ?? 0)
    this.limiter = new RateLimiter(options.limits ?? {})
    this.draw = options.faults === undefined ? () => undefined : faults.make(options.faults)
  }

  /** milliseconds since the server was started */
  private get now(): number {
    return Math.floor(performance.now() - this.start)
  }

  /** the same for the limits, whose clock may run faster */
  private get limitsNow(): number {
    return this.now * (this.options.limits?.speed ?? 1)
  }

  private judge(token: string, api: "classic" | "v1"): "ok" | "expired" | "unknown" {
    // the v1 path takes the key in either header
    if (api === "v1" && token === this.apiKey) return "ok"
    const { tokens = [] } = this.options
    if (typeof tokens === "function") return tokens(token)
    return tokens.includes(token) ? "ok" : "unknown"
  }

  private unauthorized({ headers, url }: Asked): errors.Refusal | undefined {
    const key = headers["api-key"]
    const token = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1]
    if (key !== undefined || token === undefined) return key === this.apiKey ? undefined : errors.unauthorized
    switch (this.judge(token, apiOf(url.pathname))) {
      case "ok":
        return undefined
      case "expired":
        return errors.expiredToken
      case "unknown":
        return errors.invalidToken
    }
  }

  /** A reply of the script, unless chance has another; then it is left to the next request. */
  private next(
    script: Array<Reply>,
    injection: faults.Injection | undefined,
    otherwise: () => Reply = () => plainReply
  ): Reply {
    return injection === undefined ? script.shift() ?? otherwise() : injection(script[0] ?? otherwise())
  }

  /** Whether an answer is made at all, in Azure's order of asking. */
  private admit(asked: Asked, route: Route & { readonly operation: "chat" | "responses" }): errors.Refusal | undefined {
    const { body, url } = asked
    if (route.operation === "responses") {
      if (this.options.responses === false) return errors.resourceNotFound
      if (!hasResponses(url)) return errors.responsesVersion
    }
    const name = route.deployment ?? json.string(json.at(body, "model"))
    if (name !== this.deployment) return errors.deploymentNotFound
    const characters = promptOf(body).reduce((total, text) => total + text.length, 0)
    const maxTokens = json.number(json.at(body, "max_completion_tokens")) ??
      json.number(json.at(body, "max_output_tokens"))
    const limited = this.limiter.admit(this.limitsNow, estimate(characters, maxTokens))
    if (limited !== undefined) {
      const operation = route.operation === "chat" ? "ChatCompletions_Create" : "Responses_Create"
      return errors.rateLimited(operation, limited.dimension, limited.retryAfter)
    }
    const { background = true, streams = true } = this.options
    const deployment = { model: this.model, streams, background }
    return route.operation === "chat" ? objections.chat(body, deployment) : objections.responses(body, deployment)
  }

  private ofStored(
    asked: Asked,
    { id, operation }: Route & { readonly operation: "retrieve" | "cancel" | "delete" },
    injection: faults.Injection | undefined
  ): Plan {
    const stored = this.stored.get(id)
    if (this.options.responses === false || !hasResponses(asked.url)) return refused(errors.resourceNotFound)
    if (stored === undefined) return refused(errors.responseNotFound(id))
    switch (operation) {
      case "delete":
        stored.stop()
        this.stored.delete(id)
        return said(200, { id, object: "response", deleted: true })
      case "cancel":
        return stored.background ? this.cancel(stored, injection) : refused(errors.notCancellable)
      case "retrieve":
        if (!stored.isReadable(this.readableAfter)) return refused(errors.responseNotFound(id))
        return this.read(asked.url, stored, injection)
    }
  }

  /** A cancel that is refused has not happened; one whose answer gets lost has. */
  private cancel(stored: StoredResponse, injection: faults.Injection | undefined): Plan {
    const reply = this.next(this.cancels, injection)
    if (isSaid(reply)) return { _tag: "Said", reply }
    stored.cancel()
    return { _tag: "Said", reply: { ...reply, body: stored.body } }
  }

  private read(url: URL, stored: StoredResponse, injection: faults.Injection | undefined): Plan {
    if (url.searchParams.get("stream") !== "true") {
      const reply = this.next(this.reads, injection)
      stored.polls++
      return { _tag: "Said", reply: isSaid(reply) ? reply : { ...reply, body: stored.body } }
    }
    if (!stored.resumable) return refused(errors.notResumable)
    const cursor = Number(url.searchParams.get("starting_after") ?? -1)
    if (!Number.isInteger(cursor)) return refused(errors.invalidCursor)
    const reply = this.next(this.reads, injection)
    if (isSaid(reply)) return { _tag: "Said", reply }
    stored.cursorReads++
    return { _tag: "Events", stored, from: Math.max(0, cursor + 1 - reply.rewind), reply }
  }

  private plan(asked: Asked, route: Route | undefined, injection: faults.Injection | undefined): Plan {
    if (route === undefined) return refused(errors.resourceNotFound)
    const unauthorized = this.unauthorized(asked)
    if (unauthorized !== undefined) return refused(unauthorized)
    switch (route.operation) {
      case "models": {
        const plan = said(200, models.list(this.model))
        return injection === undefined ? plan : { _tag: "Said", reply: injection(plan.reply) }
      }
      case "retrieve":
      case "cancel":
      case "delete":
        return this.ofStored(asked, route, injection)
      case "chat":
      case "responses": {
        const refusal = this.admit(asked, route)
        if (refusal !== undefined) return refused(refusal)
        const reply = this.next(this.script, injection, () => this.options.reply?.(asked.body) ?? plainReply)
        return isSaid(reply) ? { _tag: "Said", reply } : { _tag: "Answer", api: route.operation, reply }
      }
    }
  }

  /** Notes a request, and gives it an id. */
  private note(request: http.IncomingMessage, response: http.ServerResponse, asked: Asked, rest: Noted): string {
    const { body, headers, url } = asked
    let complete = false
    response.on("finish", () => complete = true)
    this.requests.push({
      method: request.method ?? "GET",
      path: url.pathname + url.search,
      api: apiOf(url.pathname),
      headers,
      body,
      stream: json.at(body, "stream") === true || url.searchParams.get("stream") === "true",
      ...rest,
      abandoned: () => response.closed && !complete
    })
    const id = `fake-${this.requests.length}`
    response.setHeader("apim-request-id", id)
    response.setHeader("x-request-id", id)
    response.setHeader("x-ms-region", "Fake Central")
    response.setHeader("x-ms-deployment-name", this.deployment)
    for (const [name, value] of Object.entries(this.limiter.headers(this.limitsNow))) response.setHeader(name, value)
    return id
  }

  private answer(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    body: unknown
  ): Effect.Effect<void> {
    const url = new URL(request.url ?? "/", "http://fake")
    const injection = this.draw()
    const route = routeOf(request.method ?? "GET", url)
    const asked = { url, headers: request.headers, body }
    const plan = this.plan(asked, route, injection)
    const id = this.note(request, response, asked, {
      operation: route?.operation,
      fault: faultOf(plan.reply),
      refused: plan._tag === "Said" ? plan.limit : undefined
    })
    const { model, stored } = this
    return perform(plan, response, { model, filterMode: this.options.filterMode, stored, id, body })
  }

  handle(request: http.IncomingMessage, response: http.ServerResponse): Effect.Effect<void> {
    return Effect.flatMap(readBody(request), (body) => this.answer(request, response, body)).pipe(
      // a mistake of the server shows as one
      Effect.catchDefect((defect) =>
        Effect.sync(() => {
          response.statusCode = 501
          response.end(`FakeAzure: ${String(defect)}`)
        })
      )
    )
  }

  stop(): void {
    for (const stored of this.stored.values()) stored.stop()
  }
}

const readBody = (request: http.IncomingMessage): Effect.Effect<unknown> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => resume(Effect.succeed(json.parse(Buffer.concat(chunks).toString()))))
  })
