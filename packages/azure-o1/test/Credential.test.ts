import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Credential from "../src/Credential.ts"
import { O1Error } from "../src/O1Error.ts"

const minute = 60_000

/** A credential whose tokens are numbered, and live for an hour of the test's clock. */
const numbered = (
  clock: Clock.Clock,
  options: { readonly fail?: ReadonlySet<number>; readonly delay?: number } = {}
) => {
  let asked = 0
  const credential: Credential.TokenCredential = {
    getToken: () => {
      const n = ++asked
      if (options.fail?.has(n) === true) return Promise.reject(new Error("down"))
      return Promise.resolve({ token: `token-${n}`, expiresOnTimestamp: clock.currentTimeMillisUnsafe() + 60 * minute })
    }
  }
  return { credential, asked: () => asked }
}

const start = (options?: Parameters<typeof numbered>[1]) =>
  Effect.map(Clock.Clock, (clock) => {
    const { asked, credential } = numbered(clock, options)
    return { asked, tokens: Credential.tokens(credential, "scope") }
  })

describe("Credential", () => {
  it.effect("a token is kept until five minutes before it expires, and then renewed", () =>
    Effect.gen(function*() {
      const { asked, tokens } = yield* start()
      assert.strictEqual(yield* tokens.get, "token-1")
      yield* TestClock.adjust("54 minutes")
      assert.strictEqual(yield* tokens.get, "token-1")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* tokens.get, "token-2")
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
      yield* tokens.get
      yield* TestClock.adjust("9 minutes")
      assert.strictEqual(yield* tokens.get, "token-1")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* tokens.get, "token-2")
    }))

  it.effect("a renewal that fails does no harm while the old token is good, and is not tried all the time", () =>
    Effect.gen(function*() {
      const { asked, tokens } = yield* start({ fail: new Set([2, 3]) })
      yield* tokens.get
      yield* TestClock.adjust("56 minutes")
      assert.strictEqual(yield* tokens.get, "token-1")
      assert.strictEqual(yield* tokens.get, "token-1")
      assert.strictEqual(asked(), 2)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* tokens.get, "token-1")
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* tokens.get, "token-4")
    }))

  it.effect("many at once ask once", () =>
    Effect.gen(function*() {
      const { asked, tokens } = yield* start()
      const all = yield* Effect.all(Array.from({ length: 100 }, () => tokens.get), { concurrency: "unbounded" })
      assert.deepStrictEqual([...new Set(all)], ["token-1"])
      assert.strictEqual(asked(), 1)
    }))

  it.effect("whoever leaves while asking leaves the others be", () =>
    Effect.gen(function*() {
      let answer: ((token: Credential.AccessToken) => void) | undefined
      const tokens = Credential.tokens({ getToken: () => new Promise((resolve) => answer = resolve) }, "scope")
      const first = yield* Effect.forkChild(tokens.get, { startImmediately: true })
      const second = yield* Effect.forkChild(tokens.get, { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* Effect.yieldNow
      answer!({ token: "good", expiresOnTimestamp: 60 * minute })
      assert.strictEqual(yield* Fiber.join(second), "good")
    }))

  it.effect("one that was refused is forgotten, unless it is replaced already", () =>
    Effect.gen(function*() {
      const { asked, tokens } = yield* start()
      const first = yield* tokens.get
      tokens.refused(first)
      assert.strictEqual(yield* tokens.get, "token-2")
      tokens.refused(first)
      assert.strictEqual(yield* tokens.get, "token-2")
      assert.strictEqual(asked(), 2)
    }))

  it.effect("none at all, and one that fails", () =>
    Effect.gen(function*() {
      const none = Credential.tokens({ getToken: () => Promise.resolve(null) }, "scope")
      assert.strictEqual(O1Error.label(yield* Effect.flip(none.get)), "O1AuthError/unauthorized")
      const offline = Credential.tokens({
        getToken: () => Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" }))
      }, "scope")
      assert.strictEqual(O1Error.label(yield* Effect.flip(offline.get)), "O1ConnectionError/dns")
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
