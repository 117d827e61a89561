// The twelve checks. Each is the same against the service and against FakeAzure, and says what it found in words that can be
// compared. None asks for more than it says.
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http"
import * as Option from "effect/Option"
import * as ModelProfile from "../src/ModelProfile.ts"
import { O1Error } from "../src/O1Error.ts"
import { verifyDeployment } from "../src/Verify.ts"
import * as json from "../src/wire/json.ts"
import { callOf, follow } from "./calls.ts"
import { api, type Check, complete, costs, ofCompletion, textOf } from "./check.ts"
import { cancel, polled, resume } from "./kept.ts"
import { prompts } from "./prompts.ts"

const verify: Check = {
  name: "verify",
  ...costs(2, 0),
  run: ({ config, http }) =>
    Effect.map(
      Effect.provideService(verifyDeployment(config), HttpClient.HttpClient, http),
      ({ findings, ok }) => ({
        facts: { "is fit": ok },
        seen: Object.fromEntries(findings.map(({ check, message, status }) => [`${status} ${check}`, message]))
      })
    )
}

const stream: Check = {
  name: "stream",
  ...costs(4, 1),
  run: (target) =>
    Effect.gen(function*() {
      const o1 = yield* target.client({ api: api(target) })
      const call = yield* follow(o1.stream(target.request(prompts.count)))
      const completion = yield* callOf(call)
      return {
        facts: {
          ...ofCompletion(completion),
          "goes by": call.events.findLast((event) => event._tag === "Started")?.transport ?? "nothing",
          "the pieces are the text": textOf(call.events) === completion.text
        },
        seen: { pieces: call.events.filter((event) => event._tag === "TextDelta").length },
        call: { ...call, api: api(target) }
      }
    })
}

const tool: Check = {
  name: "tool call",
  ...costs(2, 1),
  missing: ({ profile }) => profile.tools ? undefined : "the model has no tools",
  run: (target) =>
    Effect.gen(function*() {
      const o1 = yield* target.client({ api: api(target) })
      const call = yield* follow(o1.stream({
        ...target.request(prompts.weather),
        tools: [{
          name: "get_weather",
          description: "The weather in a city.",
          parameters: {
            type: "object",
            properties: { city: { type: "string" } },
            required: ["city"],
            additionalProperties: false
          }
        }]
      }))
      const { finishReason, toolCalls } = yield* callOf(call)
      const city = json.at(json.parse(toolCalls[0]?.arguments ?? ""), "city")
      return {
        facts: {
          "ended with": finishReason,
          "calls": toolCalls.map(({ name }) => name).join(", "),
          "arguments are as described": typeof city === "string",
          "has an id": toolCalls[0]?.id !== "" && toolCalls.length > 0
        },
        call: { ...call, api: api(target) }
      }
    })
}

const filter: Check = {
  name: "content filter",
  ...costs(2, 2),
  run: (target) =>
    Effect.gen(function*() {
      yield* complete(target, prompts.word)
      const told = target.log.map(({ body }) => body).join("")
      const provoked = target.allowed.filterPrompt
      const outcome = provoked === undefined
        ? undefined
        : yield* Effect.match(complete(target, provoked), { onFailure: O1Error.label, onSuccess: () => "an answer" })
      return {
        facts: outcome === undefined ? {} : { "a prompt that should be refused": outcome },
        seen: {
          "says what it thinks of the prompt": /"prompt_filter_results":\[\{|"source_type":"prompt"/.test(told),
          "says what it thinks of the answer": /"content_filter_results":\{"|"source_type":"completion"/.test(told)
        }
      }
    })
}

const entra: Check = {
  name: "Entra ID",
  ...costs(3, 1),
  run: (target) =>
    Effect.gen(function*() {
      const { token } = target.allowed
      const withToken = (token: string) =>
        Effect.flatMap(
          target.client({
            api: api(target),
            apiKey: undefined,
            credential: { getToken: () => Promise.resolve({ token, expiresOnTimestamp: Number.MAX_SAFE_INTEGER }) }
          }),
          (o1) =>
            Effect.match(o1.complete(target.request(prompts.word)), {
              onFailure: O1Error.label,
              onSuccess: () => "an answer"
            })
        )
      const wrong = yield* withToken("not-a-token")
      return {
        facts: {
          "a wrong token": wrong,
          ...token === undefined ? {} : { "a good token": yield* withToken(token) }
        },
        seen: token === undefined ? { skipped: "a good token: AZURE_OPENAI_TOKEN is not set" } : {}
      }
    })
}

const headers: Check = {
  name: "usage and limits",
  ...costs(2, 1),
  run: (target) =>
    Effect.gen(function*() {
      const completion = yield* complete(target, prompts.word)
      const told = target.log.at(-1)?.headers ?? {}
      const has = (name: string): boolean => told[name] !== undefined
      return {
        facts: {
          ...ofCompletion(completion),
          "a request id": completion.requestId !== undefined,
          "a region": completion.region !== undefined
        },
        seen: {
          "the limit of requests": told["x-ratelimit-limit-requests"] ?? "is not told",
          "requests that are left": told["x-ratelimit-remaining-requests"] ?? "is not told",
          "the limit of tokens": told["x-ratelimit-limit-tokens"] ?? "is not told",
          "tokens that are left": told["x-ratelimit-remaining-tokens"] ?? "is not told",
          "when they come back": has("x-ratelimit-reset-tokens") ? told["x-ratelimit-reset-tokens"]! : "is not told"
        }
      }
    })
}

const model: Check = {
  name: "model and profile",
  ...costs(2, 1),
  run: (target) =>
    Effect.map(complete(target, prompts.word), ({ model, warnings }) => ({
      facts: { "the profile is that of the model": ModelProfile.serves(target.profile, model) },
      seen: {
        model,
        profile: target.profile.name,
        "the profile it should be": ModelProfile.forModel(model)?.name ?? "unknown",
        warnings: warnings.length
      }
    }))
}

const limited: Check = {
  name: "429",
  requests: ({ burst }) => burst,
  answers: ({ burst }) => burst,
  missing: ({ allowed }) => allowed.burst > 0 ? undefined : "none is provoked without --burst N",
  run: (target) =>
    Effect.gen(function*() {
      const o1 = yield* target.client({ api: api(target) })
      const results = yield* Effect.forEach(
        Array.from({ length: target.allowed.burst }),
        () => Effect.option(Effect.flip(o1.complete(target.request(prompts.word)))),
        { concurrency: "unbounded" }
      )
      const errors = results.flatMap(Option.toArray)
      const refused = target.log.find(({ status }) => status === 429)
      return {
        facts: refused === undefined ? {} : {
          "is": [...new Set(errors.map(O1Error.label))].join(", "),
          "says when to come back": errors.every((error) =>
            error._tag !== "O1RateLimitError" || error.retryAfter !== undefined
          )
        },
        seen: { refused: errors.length, ...refused === undefined ? { offered: "no 429" } : {} }
      }
    })
}

export const checks: ReadonlyArray<Check> = [
  verify,
  stream,
  polled("background", "2 seconds"),
  polled("a read right after the create", "100 millis"),
  resume,
  cancel,
  tool,
  filter,
  entra,
  headers,
  model,
  limited
]
