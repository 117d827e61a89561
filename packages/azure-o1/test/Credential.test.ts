import { Fault } from "@effect-resilience/core"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as util from "node:util"
import * as Credential from "../src/Credential.ts"
import { O1Error } from "../src/O1Error.ts"

const minute = 60_000

/** A credential whose tokens are numbered, and live for an hour of the test's clock. */
const numbered = (
  clock: Clock.Clock,
  options: { readonly fail?: ReadonlySet<number>; readonly hang?: ReadonlySet<number> } = {}
) => {
  let asked = 0
  const aborted: Array<number> = []
  const credential: Credential.TokenCredential = {
    getToken: (_, given) => {
      const n = ++asked
      given!.abortSignal!.addEventListener("abort", () => aborted.push(n))
      if (options.hang?.has(n) === true) return new Promise(() => {})
      if (options.fail?.has(n) === true) return Promise.reject(new Error("down"))
      return Promise.resolve({ token: `token-${n}`, expiresOnTimestamp: clock.currentTimeMillisUnsafe() + 60 * minute })
    }
  }
  return { credential, asked: () => asked, aborted }
}

const start = (options?: Parameters<typeof numbered>[1]) =>
  Effect.map(Clock.Clock, (clock) => {
    const { aborted, asked, credential } = numbered(clock, options)
    return { asked, aborted, tokens: Credential.tokens(credential, "scope") }
  })

/** A token that the test gives when it likes. */
const byHand = () => {
  const waiting: Array<{
    readonly resolve: (token: Credential.AccessToken) => void
    readonly reject: (cause: unknown) => void
    readonly signal: AbortSignal
  }> = []
  const tokens = Credential.tokens({
    getToken: (_, options) =>
      new Promise((resolve, reject) => waiting.push({ resolve, reject, signal: options!.abortSignal! }))
  }, "scope")
  return { waiting, tokens }
}

const settled = Effect.andThen(
  Effect.yieldNow,
  Effect.andThen(Effect.promise(() => Promise.resolve()), Effect.yieldNow)
)

const fork = <A, E>(self: Effect.Effect<A, E>) => Effect.forkChild(self, { startImmediately: true })

describe("Credential", () => {
  it.effect("a token is kept until five minutes before it expires, and then renewed in the background", () =>
    Effect.gen(function*() {
      const { asked, tokens } = yield* start()
      assert.strictEqual(yield* tokens.get(), "token-1")
      yield* TestClock.adjust("54 minutes")
      assert.strictEqual(yield* tokens.get(), "token-1")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* tokens.get(), "token-1", "nobody waits for the new one")
      yield* settled
      assert.strictEqual(yield* tokens.get(), "token-2")
      assert.strictEqual(asked(), 2)
    }))

  it.effect("a token that says when it is to be renewed is", () =>
    Effect.gen(function*() {
      let asked = 0
      const tokens = Credential.tokens({
        getToken: () =>
          Promise.resolve({
            token: `token-${++asked}`,
            expiresOnTimestamp: 60 * minute,
            refreshAfterTimestamp: 10 * minute
          })
      }, "scope")
      yield* tokens.get()
      yield* TestClock.adjust("9 minutes")
      yield* tokens.get()
      assert.strictEqual(asked, 1)
      yield* TestClock.adjust("2 minutes")
      yield* tokens.get()
      yield* settled
      assert.strictEqual(yield* tokens.get(), "token-2")
    }))

  it.effect("a renewal that fails does no harm while the old token is good, and is not tried all the time", () =>
    Effect.gen(function*() {
      const { asked, tokens } = yield* start({ fail: new Set([2, 3]) })
      yield* tokens.get()
      yield* TestClock.adjust("56 minutes")
      for (let i = 0; i < 5; i++) {
        assert.strictEqual(yield* tokens.get(), "token-1")
        yield* settled
      }
      assert.strictEqual(asked(), 2)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* tokens.get(), "token-1")
      yield* settled
      assert.strictEqual(asked(), 3)
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* tokens.get(), "token-4", "the old one has ended")
    }))

  it.effect("a renewal that hangs costs nobody anything, is given up after its limit, and tried again", () =>
    Effect.gen(function*() {
      const { aborted, asked, tokens } = yield* start({ hang: new Set([2]) })
      yield* tokens.get()
      yield* TestClock.adjust("56 minutes")
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* tokens.get(), "token-1")
      assert.strictEqual(asked(), 2)
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual(yield* tokens.get(), "token-1")
      yield* settled
      assert.deepStrictEqual(aborted, [2])
      assert.strictEqual(yield* tokens.get(), "token-3")
    }))

  it.effect("many at once ask once", () =>
    Effect.gen(function*() {
      const { asked, tokens } = yield* start()
      const all = yield* Effect.all(Array.from({ length: 100 }, () => tokens.get()), { concurrency: "unbounded" })
      assert.deepStrictEqual([...new Set(all)], ["token-1"])
      assert.strictEqual(asked(), 1)
    }))

  it.effect("a failure is shared by all who wait, and the next one asks anew", () =>
    Effect.gen(function*() {
      const { tokens, waiting } = byHand()
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () => fork(Effect.flip(tokens.get())))
      waiting[0]!.reject(new Error("down"))
      const errors = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual([...new Set(errors.map(O1Error.label))], ["O1AuthError/credential"])
      assert.lengthOf(waiting, 1)
      const next = yield* fork(tokens.get())
      assert.lengthOf(waiting, 2)
      yield* Fiber.interrupt(next)
    }))

  it.effect("one that says nothing is given up after the limit, by all at once, who joined late as well", () =>
    Effect.gen(function*() {
      const { aborted, asked, tokens } = yield* start({ hang: new Set([1]) })
      const early = yield* fork(Effect.flip(tokens.get()))
      yield* TestClock.adjust("29 seconds")
      const late = yield* fork(Effect.flip(tokens.get()))
      yield* TestClock.adjust("1 second")
      for (const fiber of [early, late]) {
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(O1Error.label(error), "O1AuthError/credential")
        assert.include(error.message, "30s (tokenTimeout)")
      }
      assert.deepStrictEqual(aborted, [1])
      assert.strictEqual(yield* tokens.get(), "token-2")
      assert.strictEqual(asked(), 2)
    }))

  it.effect("what comes after it was given up is of another time", () =>
    Effect.gen(function*() {
      const { tokens, waiting } = byHand()
      const early = yield* fork(Effect.flip(tokens.get()))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(early)
      const next = yield* fork(tokens.get())
      waiting[0]!.resolve({ token: "late", expiresOnTimestamp: 60 * minute })
      yield* settled
      waiting[1]!.resolve({ token: "good", expiresOnTimestamp: 60 * minute })
      assert.strictEqual(yield* Fiber.join(next), "good")
      assert.strictEqual(yield* tokens.get(), "good")
    }))

  it.effect("a caller who leaves while asking leaves the others be", () =>
    Effect.gen(function*() {
      const { tokens, waiting } = byHand()
      const first = yield* fork(tokens.get())
      const second = yield* fork(tokens.get())
      yield* Fiber.interrupt(first)
      assert.isFalse(waiting[0]!.signal.aborted)
      waiting[0]!.resolve({ token: "good", expiresOnTimestamp: 60 * minute })
      assert.strictEqual(yield* Fiber.join(second), "good")
    }))

  it.effect("when the last one leaves, the credential hears of it", () =>
    Effect.gen(function*() {
      const { tokens, waiting } = byHand()
      const fibers = yield* Effect.forEach([1, 2], () => fork(tokens.get()))
      yield* Effect.forEach(fibers, Fiber.interrupt)
      assert.isTrue(waiting[0]!.signal.aborted)
      const next = yield* fork(tokens.get())
      waiting[1]!.resolve({ token: "good", expiresOnTimestamp: 60 * minute })
      assert.strictEqual(yield* Fiber.join(next), "good")
    }))

  it.effect("one whose limit cuts it short comes again, and finds the same question", () =>
    Effect.gen(function*() {
      const { tokens, waiting } = byHand()
      const first = yield* fork(tokens.get(() => true))
      yield* Fiber.interrupt(first)
      assert.isFalse(waiting[0]!.signal.aborted)
      const second = yield* fork(tokens.get())
      assert.lengthOf(waiting, 1)
      waiting[0]!.resolve({ token: "good", expiresOnTimestamp: 60 * minute })
      assert.strictEqual(yield* Fiber.join(second), "good")
    }))

  it.effect("after one that said nothing nobody waits as long, and what comes in the meantime is good", () =>
    Effect.gen(function*() {
      const { tokens, waiting } = byHand()
      const first = yield* fork(Effect.flip(tokens.get()))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(first)
      const second = yield* fork(Effect.flip(tokens.get()))
      yield* TestClock.adjust("3 seconds")
      assert.include((yield* Fiber.join(second)).message, "within 3s")
      assert.isFalse(waiting[1]!.signal.aborted)
      waiting[1]!.resolve({ token: "good", expiresOnTimestamp: 60 * minute })
      yield* settled
      assert.strictEqual(yield* tokens.get(), "good")
      assert.lengthOf(waiting, 2)
    }))

  it.effect("a question that nobody waits for is given up after its limit as well", () =>
    Effect.gen(function*() {
      const { tokens, waiting } = byHand()
      for (const seconds of [30, 3, 27]) {
        const fiber = yield* fork(Effect.flip(tokens.get()))
        yield* TestClock.adjust(`${seconds} seconds`)
        if (fiber.pollUnsafe() === undefined) yield* Fiber.interrupt(fiber)
      }
      assert.lengthOf(waiting, 2)
      const next = yield* fork(Effect.flip(tokens.get()))
      assert.isTrue(waiting[1]!.signal.aborted)
      assert.lengthOf(waiting, 3)
      yield* Fiber.interrupt(next)
    }))

  describe("a token that was refused", () => {
    it.effect("is followed by another, for all who were refused with it", () =>
      Effect.gen(function*() {
        const { asked, tokens } = yield* start()
        const first = yield* tokens.get()
        const others = yield* Effect.forEach([1, 2, 3], () => tokens.another(first), { concurrency: "unbounded" })
        assert.deepStrictEqual(others, ["token-2", "token-2", "token-2"])
        assert.strictEqual(yield* tokens.another(first), "token-2", "it is replaced already")
        assert.strictEqual(asked(), 2)
      }))

    it.effect("is not followed by the same one, and the credential is not asked for it with every call", () =>
      Effect.gen(function*() {
        let asked = 0
        const tokens = Credential.tokens({
          getToken: () => {
            asked++
            return Promise.resolve({ token: "cached", expiresOnTimestamp: 60 * minute })
          }
        }, "scope")
        for (let i = 0; i < 5; i++) assert.isUndefined(yield* tokens.another(yield* tokens.get()))
        assert.strictEqual(asked, 2)
        yield* TestClock.adjust("30 seconds")
        yield* tokens.another(yield* tokens.get())
        assert.strictEqual(asked, 3)
      }))
  })

  const secret = "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl"
  const wrong: ReadonlyArray<readonly [string, () => unknown, RegExp, "Transient" | "Permanent"]> = [
    ["null", () => Promise.resolve(null), /without one/, "Permanent"],
    ["undefined", () => Promise.resolve(undefined), /without one/, "Permanent"],
    ["an object without a token", () => Promise.resolve({ expiresOnTimestamp: 1 }), /without one/, "Permanent"],
    ["an empty token", () => Promise.resolve({ token: "", expiresOnTimestamp: 1 }), /without one/, "Permanent"],
    ["a token that is no string", () => Promise.resolve({ token: 42 }), /without one/, "Permanent"],
    ["a line break", () => Promise.resolve({ token: `${secret}\n`, expiresOnTimestamp: 1 }), /line break/, "Permanent"],
    ["a blank", () => Promise.resolve({ token: `Bearer ${secret}`, expiresOnTimestamp: 1 }), /space/, "Permanent"],
    ["another alphabet", () => Promise.resolve({ token: "tökén", expiresOnTimestamp: 1 }), /header/, "Permanent"],
    ["nothing that is a promise", () => undefined, /without one/, "Permanent"],
    [
      "an exception",
      () => {
        throw new Error("not signed in")
      },
      /not signed in/,
      "Permanent"
    ],
    ["a rejection without a reason", () => Promise.reject(undefined), /without saying why/, "Permanent"],
    ["a rejection with a text", () => Promise.reject(secret), /without saying why/, "Permanent"],
    [
      "an opaque token in the words",
      () =>
        Promise.reject(
          new Error(`refused 0Ab${secret.replaceAll(".", "")}9z, trace 3f2504e0-4f89-11d3-9a0c-0305e82c3301`)
        ),
      /refused <redacted>, trace 3f2504e0-4f89-11d3-9a0c-0305e82c3301/,
      "Permanent"
    ],
    ["a bug", () => Promise.reject(new TypeError("x is not a function")), /not a function/, "Permanent"],
    [
      "DNS of the login host",
      () => Promise.reject(Object.assign(new Error("getaddrinfo ENOTFOUND login.example"), { code: "ENOTFOUND" })),
      /login\.example/,
      "Transient"
    ],
    [
      "a network that is some causes down",
      () => Promise.reject(new Error("failed", { cause: Object.assign(new Error("x"), { code: "ECONNREFUSED" }) })),
      /failed/,
      "Transient"
    ],
    ["no CLI", () => Promise.reject(Object.assign(new Error("az"), { code: "ENOENT" })), /az/, "Permanent"],
    [
      "a secret that is wrong",
      () => Promise.reject(Object.assign(new Error("AADSTS7000215"), { statusCode: 401 })),
      /AADSTS/,
      "Permanent"
    ],
    ["Entra that is down", () => Promise.reject(Object.assign(new Error("x"), { statusCode: 503 })), /x/, "Transient"],
    ["Entra that is busy", () => Promise.reject(Object.assign(new Error("x"), { statusCode: 429 })), /x/, "Transient"],
    [
      "a token in the words",
      () => Promise.reject(new Error(`refused ${secret} for\n\u001b[31mred`)),
      /refused <redacted> for/,
      "Permanent"
    ],
    [
      "a secret in the words",
      () => Promise.reject(new Error(`client_secret=${secret}&x=1`)),
      /client_secret=<redacted>&x=1/,
      "Permanent"
    ]
  ]
  for (const [what, getToken, message, fault] of wrong) {
    it.effect(`${what}: kind credential, ${fault}, and no token in it`, () =>
      Effect.gen(function*() {
        const credential = { getToken } as Credential.TokenCredential
        const error = yield* Effect.flip(Credential.tokens(credential, "scope").get())
        assert.strictEqual(O1Error.label(error), "O1AuthError/credential")
        assert.match(error.message, message)
        assert.strictEqual(error[Fault.TypeId]._tag, fault)
        const printed = `${util.inspect(error, { depth: 9, showHidden: true })}${JSON.stringify(error)}${error.stack}`
        assert.notInclude(printed, secret)
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(error.message, /[\u0000-\u001f]/)
      }))
  }

  it.effect("the old token is not told by the failure of its renewal", () =>
    Effect.gen(function*() {
      let asked = 0
      const tokens = Credential.tokens({
        getToken: () =>
          ++asked === 1
            ? Promise.resolve({ token: "opaque-token-1", expiresOnTimestamp: 60 * minute })
            : Promise.reject(new Error("cannot renew opaque-token-1"))
      }, "scope")
      const error = yield* Effect.flip(Effect.flatMap(tokens.get(), (token) => tokens.another(token)))
      assert.include(error.message, "cannot renew <redacted>")
    }))

  it.effect("a token that does not say how long it is good is good for the calls that wait for it", () =>
    Effect.gen(function*() {
      let asked = 0
      const tokens = Credential.tokens({
        getToken: () => Promise.resolve({ token: `token-${++asked}` } as Credential.AccessToken)
      }, "scope")
      const all = yield* Effect.all([tokens.get(), tokens.get()], { concurrency: "unbounded" })
      assert.deepStrictEqual(all, ["token-1", "token-1"])
      assert.strictEqual(yield* tokens.get(), "token-2")
    }))

  const scopes: ReadonlyArray<readonly [Credential.Cloud, "v1" | "dated" | "management", string]> = [
    ["public", "v1", "https://ai.azure.com/.default"],
    ["public", "dated", "https://cognitiveservices.azure.com/.default"],
    ["public", "management", "https://management.azure.com/.default"],
    ["us-government", "dated", "https://cognitiveservices.azure.us/.default"],
    ["china", "management", "https://management.chinacloudapi.cn/.default"]
  ]
  for (const [cloud, purpose, scope] of scopes) {
    it(`${cloud}, ${purpose}: ${scope}`, () => {
      assert.strictEqual(Credential.scopeOf(cloud, purpose), scope)
    })
  }
})
