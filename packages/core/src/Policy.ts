/**
 * The algebra: a policy is a function from effects to effects and from streams to streams that adds exactly its own
 * errors.
 *
 * `compose(outermost, ..., innermost)` is mathematical composition; `call.pipe(innermost, ..., outermost)` is the same
 * stack. `identity` is its neutral element, and composition is associative. The types check that each policy accepts what
 * the policies inside it can add.
 *
 * **Gotchas**
 *
 * A policy around `restore(x)` inside an `uninterruptibleMask` ignores the mask, as `Effect.timeout` does: write
 * `restore(policy(x))`.
 *
 * **Example** (One stack, written both ways)
 *
 * ```ts import.meta.vitest
 * import { Policy, Retry, Timeout } from "@effect-resilience/core"
 * import { Effect, Schedule } from "effect"
 *
 * const attempt = Timeout.attempt("2 seconds")
 * const retry = Retry.make({ schedule: Schedule.max([Schedule.exponential("1 millis"), Schedule.recurs(3)]) })
 * let calls = 0
 * const call = Effect.suspend(() => ++calls < 3 ? Effect.fail("busy") : Effect.succeed(calls))
 *
 * await Effect.runPromise(call.pipe(Policy.compose(retry, attempt))) // => 3
 * await Effect.runPromise(call.pipe(attempt, retry)) // => 4
 * ```
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { path } from "./internal/boundary.ts"
import { inWords } from "./internal/circuitBreakerWords.ts"
import { type AnyStream, establish } from "./internal/establish.ts"
import { warningsOf } from "./internal/lint.ts"
import * as model from "./internal/model.ts"
import type { Policy, PolicyInfo } from "./internal/model.ts"
import { invalid } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import type { AnyEffect } from "./internal/primitive.ts"

/**
 * The brand of policies.
 *
 * @category type IDs
 * @since 0.1.0
 */
export const TypeId: typeof model.TypeId = model.TypeId

export type { Policy, PolicyInfo, Variance } from "./internal/model.ts"

/**
 * Any policy, whatever it accepts.
 *
 * @category models
 * @since 0.1.0
 */
export type Any = Policy<never, unknown, unknown>

type VarianceOf<P> = P extends { readonly [TypeId]: infer V } ? V : never

/**
 * The errors that a policy accepts.
 *
 * @category utility types
 * @since 0.1.0
 */
export type EIn<P> = P extends unknown ? VarianceOf<P> extends { readonly _EIn: (_: infer E) => void } ? E : never
  : never

/**
 * The errors that a policy adds.
 *
 * @category utility types
 * @since 0.1.0
 */
export type EOut<P> = P extends unknown ? VarianceOf<P> extends { readonly _EOut: (_: never) => infer E } ? E : never
  : never

/**
 * The services that a policy needs.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Services<P> = P extends unknown ? VarianceOf<P> extends { readonly _R: (_: never) => infer R } ? R : never
  : never

/**
 * Makes a policy. Without `stream`, the policy acts on the establishment of a stream: on everything up to and including the
 * first element, in a scope per attempt that is closed when the attempt loses. After the first element is out, nothing is
 * started again.
 *
 * **Example** (A policy that counts)
 *
 * ```ts import.meta.vitest
 * import { Policy } from "@effect-resilience/core"
 * import { Effect, Stream } from "effect"
 *
 * let calls = 0
 * const counted = Policy.make({
 *   info: { kind: "counted", settings: {}, children: [] },
 *   effect: (self) => Effect.suspend(() => {
 *     calls++
 *     return self
 *   })
 * })
 *
 * await Effect.runPromise(counted(Effect.succeed("a"))) // => "a"
 * await Effect.runPromise(Stream.runCollect(counted.stream(Stream.make("b", "c")))) // => ["b", "c"]
 * calls // => 2
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <EIn = unknown, EOut = never, R = never>(options: {
  readonly info: PolicyInfo
  readonly effect: <A, E extends EIn, RX>(self: Effect.Effect<A, E, RX>) => Effect.Effect<A, E | EOut, RX | R>
  readonly stream?:
    | (<A, E extends EIn, RX>(self: Stream.Stream<A, E, RX>) => Stream.Stream<A, E | EOut, RX | R>)
    | undefined
}): Policy<EIn, EOut, R> =>
  internal.make({
    info: options.info,
    effect: options.effect,
    stream: options.stream ?? ((self: AnyStream) => establish(options.effect, self))
  })

/**
 * The policy that does nothing: the neutral element of {@link compose}. Tests provide it where a program asks for a policy.
 *
 * @category constructors
 * @since 0.1.0
 */
export const identity: Policy = make({
  info: { kind: "identity", settings: {}, children: [] },
  effect: (self) => self,
  stream: (self) => self
})

/**
 * The policy that a service holds, looked up at every call. Programs name the policy, layers decide what it is, and tests
 * provide {@link identity}.
 *
 * **Example** (A policy from a layer)
 *
 * ```ts import.meta.vitest
 * import { Policy, Retry } from "@effect-resilience/core"
 * import { Context, Effect, Layer, Schedule } from "effect"
 *
 * class CallPolicy extends Context.Service<CallPolicy, Policy.Policy>()("CallPolicy") {}
 *
 * const live = Layer.succeed(CallPolicy, Retry.make({ schedule: Schedule.recurs(3) }))
 * const test = Layer.succeed(CallPolicy, Policy.identity)
 *
 * let calls = 0
 * const program = Effect.suspend(() => Effect.fail(++calls)).pipe(Policy.fromService(CallPolicy), Effect.flip)
 *
 * await Effect.runPromise(Effect.provide(program, live)) // => 4
 * await Effect.runPromise(Effect.provide(program, test)) // => 5
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromService = <Identifier, EIn, EOut, R>(
  service: Context.Key<Identifier, Policy<EIn, EOut, R>>
): Policy<EIn, EOut, R | Identifier> =>
  make<EIn, EOut, R | Identifier>({
    info: { kind: "service", name: service.key, settings: {}, children: [] },
    effect: (self) => Effect.flatMap(service, (policy) => policy(self)),
    stream: (self) => Stream.unwrap(Effect.map(service, (policy) => policy.stream(self)))
  })

/**
 * The policy that a `Ref` holds, looked up as each call begins: set the `Ref`, and the next call has other settings. A call that
 * has begun ends with the policy that it began with.
 *
 * **Details**
 *
 * State belongs to the instance: a new circuit breaker begins closed, a new bulkhead empty, while calls still run in the old one.
 * Where that matters, keep the instance and use its `reconfigure` or `resize`. {@link explain} and {@link warnings} show the
 * policy that is there at that moment.
 *
 * **Example** (Another limit for the calls that begin from now on)
 *
 * ```ts import.meta.vitest
 * import { Policy, Timeout } from "@effect-resilience/core"
 * import { Effect, Ref } from "effect"
 *
 * const limit = Ref.makeUnsafe(Timeout.attempt("1 minute"))
 * const call = Effect.delay(Effect.succeed("done"), "20 millis").pipe(Policy.live(limit), Effect.option)
 *
 * const program = Effect.gen(function*() {
 *   const before = yield* call
 *   yield* Ref.set(limit, Timeout.attempt("1 millis"))
 *   return [before._tag, (yield* call)._tag]
 * })
 *
 * await Effect.runPromise(program) // => ["Some", "None"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const live: <P extends Any>(ref: Ref.Ref<P>) => Policy<AcceptedByEach<P>, EOut<P>, Services<P>> = (
  ref: Ref.Ref<any>
) => {
  const current = (): Policy<any, any, any> => Ref.getUnsafe(ref)
  return internal.make({
    info: {
      kind: "live",
      settings: {},
      get children() {
        return [current().info]
      }
    },
    effect: (self: AnyEffect) => Effect.suspend(() => current()(self)),
    stream: (self: AnyStream) => Stream.suspend(() => current().stream(self)),
    knowledge: (at) => internal.knowledgeOf(current(), at)
  })
}

/** The errors that every member of a union of policies accepts. */
type AcceptedByEach<P> = [VarianceOf<P>] extends [{ readonly _EIn: (_: infer E) => void }] ? E : never

/** How the compiler calls an error. */
type NameOf<E> = E extends { readonly _tag: infer Tag extends string } ? Tag : "an error without a tag"

/** The first of the policies inside policy number `Outer` that adds what `In` does not take, in words. */
type Mismatch<
  Outer extends number,
  In,
  Inner extends ReadonlyArray<unknown>,
  Before extends ReadonlyArray<unknown>
> = Inner extends readonly [infer Next, ...infer Rest extends ReadonlyArray<unknown>]
  ? [EOut<Next>] extends [In] ? Mismatch<Outer, In, Rest, [...Before, unknown]>
  : `policy ${Outer} does not accept ${NameOf<Exclude<EOut<Next>, In>>}, which policy ${
    & [...Before, unknown]["length"]
    & number} adds`
  : unknown

/** Nothing for a policy that accepts what is added inside it, else a sentence that no policy is assignable to. */
type Accepts<Ps extends ReadonlyArray<unknown>, K, In, Before extends ReadonlyArray<unknown> = []> = unknown extends In
  ? unknown
  : number extends Ps["length"] ? [EOut<Ps[number]>] extends [In] ? unknown
    : `a policy does not accept ${NameOf<Exclude<EOut<Ps[number]>, In>>}, which another one adds`
  : Ps extends readonly [unknown, ...infer Inner extends ReadonlyArray<unknown>]
    ? `${Before["length"]}` extends K
      ? Mismatch<[...Before, unknown]["length"] & number, In, Inner, [...Before, unknown]>
    : Accepts<Inner, K, In, [...Before, unknown]>
  : unknown

/**
 * The policies of a stack, each of them accepting what is added inside it. It serves any number of policies, but an argument
 * that is itself a call of a generic function fixes the inference too early; that is what the overloads are for. The
 * compiler tells of the last overload whatever does not compile, hence the sentence.
 */
type Composable<Ps extends ReadonlyArray<Any>> = {
  [K in keyof Ps]: Ps[K] & Accepts<Ps, K, EIn<Ps[K]>>
}

type AcceptedByAll<Ps extends ReadonlyArray<unknown>> = Ps extends
  readonly [infer Outer, ...infer Inner extends ReadonlyArray<unknown>] ? EIn<Outer> & AcceptedByAll<Inner>
  : unknown

/**
 * The policy that {@link compose} makes of a stack.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Composed<Ps extends ReadonlyArray<unknown>> = Policy<
  AcceptedByAll<Ps>,
  EOut<Ps[number]>,
  Services<Ps[number]>
>

/** What a stack asks of its parts; a policy that asks more of a call, such as tags of its errors, is one as well. */
interface Part<in EIn, out EOut, out R> {
  readonly [TypeId]: model.Variance<EIn, EOut, R>
  readonly info: PolicyInfo
}

/**
 * Composes policies, the outermost first. If a policy's predicate does not accept the errors that the policies inside it add,
 * the stack does not compile.
 *
 * **Example** (What an order means in numbers of calls)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker, Policy, Retry } from "@effect-resilience/core"
 * import { Effect, Schedule } from "effect"
 *
 * const retry = Retry.make({ schedule: Schedule.recurs(3) })
 * const breaker = () => CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(2) })
 * let calls = 0
 * const call = Effect.suspend(() => Effect.fail(`call ${++calls}`))
 *
 * // the breaker sees every attempt: it opens after the second, and the retry gives up on its rejection
 * await Effect.runPromiseExit(call.pipe(Policy.compose(retry, breaker())))
 * calls // => 2
 * // the breaker sees one outcome per logical call: four attempts, one failure
 * await Effect.runPromiseExit(call.pipe(Policy.compose(breaker(), retry)))
 * calls // => 6
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const compose: {
  // dprint-ignore
  <I1, O1, R1, I2, O2 extends I1, R2>(
    p1: Part<I1, O1, R1>, p2: Part<I2, O2, R2>
  ): Policy<I1 & I2, O1 | O2, R1 | R2>
  // dprint-ignore
  <I1, O1, R1, I2, O2 extends I1, R2, I3, O3 extends I1 & I2, R3>(
    p1: Part<I1, O1, R1>, p2: Part<I2, O2, R2>, p3: Part<I3, O3, R3>
  ): Policy<I1 & I2 & I3, O1 | O2 | O3, R1 | R2 | R3>
  // dprint-ignore
  <I1, O1, R1, I2, O2 extends I1, R2, I3, O3 extends I1 & I2, R3, I4, O4 extends I1 & I2 & I3, R4>(
    p1: Part<I1, O1, R1>, p2: Part<I2, O2, R2>, p3: Part<I3, O3, R3>, p4: Part<I4, O4, R4>
  ): Policy<I1 & I2 & I3 & I4, O1 | O2 | O3 | O4, R1 | R2 | R3 | R4>
  // dprint-ignore
  <I1, O1, R1, I2, O2 extends I1, R2, I3, O3 extends I1 & I2, R3, I4, O4 extends I1 & I2 & I3, R4, I5, O5 extends I1 & I2 & I3 & I4, R5>(
    p1: Part<I1, O1, R1>, p2: Part<I2, O2, R2>, p3: Part<I3, O3, R3>, p4: Part<I4, O4, R4>, p5: Part<I5, O5, R5>
  ): Policy<I1 & I2 & I3 & I4 & I5, O1 | O2 | O3 | O4 | O5, R1 | R2 | R3 | R4 | R5>
  // dprint-ignore
  <I1, O1, R1, I2, O2 extends I1, R2, I3, O3 extends I1 & I2, R3, I4, O4 extends I1 & I2 & I3, R4, I5, O5 extends I1 & I2 & I3 & I4, R5, I6, O6 extends I1 & I2 & I3 & I4 & I5, R6>(
    p1: Part<I1, O1, R1>, p2: Part<I2, O2, R2>, p3: Part<I3, O3, R3>, p4: Part<I4, O4, R4>, p5: Part<I5, O5, R5>, p6: Part<I6, O6, R6>
  ): Policy<I1 & I2 & I3 & I4 & I5 & I6, O1 | O2 | O3 | O4 | O5 | O6, R1 | R2 | R3 | R4 | R5 | R6>
  <const Ps extends ReadonlyArray<Any>>(...policies: Composable<Ps>): Composed<Ps>
} = (...parts: ReadonlyArray<Part<any, any, any>>): any => {
  const policies = parts as ReadonlyArray<Policy<any, any, any>> // a part asks more of a call, and is called as a policy is
  policies.forEach((policy, i) => {
    if (!internal.isPolicy(policy)) throw invalid("Policy.compose", `policy ${i + 1}`, policy, "a policy")
  })
  const stack = policies.filter((policy) => policy !== identity)
  return stack.length === 0 ? identity : stack.length === 1 ? stack[0]! : internal.make({
    info: {
      kind: "compose",
      settings: {},
      children: stack.flatMap(({ info }) => info.kind === "compose" ? info.children : [info])
    },
    parts: stack,
    effect: (self: AnyEffect) => stack.reduceRight((inner, policy) => policy(inner), self),
    stream: (self: AnyStream) => stack.reduceRight((inner, policy) => policy.stream(inner), self),
    knowledge: (at) => internal.knowledgeOfAll(stack, at),
    letGo: () => stack.forEach(internal.letGo)
  })
}

/**
 * Replaces an error that a policy adds by one of your own.
 *
 * **Gotchas**
 *
 * The guard sees an error, not its origin: it also replaces an error of the same class from the wrapped call.
 *
 * @category combinators
 * @since 0.1.0
 */
export const mapError: {
  <E, E2>(
    is: (error: unknown) => error is E,
    f: (error: E) => E2
  ): <EIn, EOut, R>(self: Policy<EIn, EOut, R>) => Policy<EIn, Exclude<EOut, E> | E2, R>
  <EIn, EOut, R, E, E2>(
    self: Policy<EIn, EOut, R>,
    is: (error: unknown) => error is E,
    f: (error: E) => E2
  ): Policy<EIn, Exclude<EOut, E> | E2, R>
} = dual(
  3,
  <EIn, EOut, R, E, E2>(
    self: Policy<EIn, EOut, R>,
    is: (error: unknown) => error is E,
    f: (error: E) => E2
  ): Policy<EIn, Exclude<EOut, E> | E2, R> => {
    const where = "Policy.mapError"
    if (typeof is !== "function") throw invalid(where, "is", is, "a function")
    if (typeof f !== "function") throw invalid(where, "f", f, "a function")
    const replace = (error: unknown): unknown => is(error) ? f(error) : error
    return internal.make({
      info: self.info,
      effect: (effect: AnyEffect) => Effect.mapError(self(effect), replace),
      stream: (stream: AnyStream) => Stream.mapError(self.stream(stream), replace),
      knowledge: (at) => internal.knowledgeOf(self, at),
      letGo: () => internal.letGo(self)
    })
  }
)

const showSetting = (value: unknown): string => {
  if (Duration.isDuration(value)) return Duration.format(value)
  return Array.isArray(value) ? value.map(showSetting).join(", ") : String(value)
}

const headline = ({ kind, name, settings }: PolicyInfo): string => {
  const shown = Object.entries(inWords(settings))
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${showSetting(value)}`)
  return [kind, ...name === undefined ? [] : [`"${name}"`], ...shown.length === 0 ? [] : [`(${shown.join(", ")})`]]
    .join(" ")
}

interface Tree {
  readonly line: string
  readonly below: ReadonlyArray<Tree>
}

const treesOf = (info: PolicyInfo): ReadonlyArray<Tree> =>
  info.kind === "compose"
    ? info.children.reduceRight<ReadonlyArray<Tree>>((inner, outer) => [treeOf(outer, inner)], [])
    : [treeOf(info, [])]

const treeOf = (info: PolicyInfo, inner: ReadonlyArray<Tree>): Tree => ({
  line: headline(info),
  below: [...info.children.flatMap(treesOf), ...inner]
})

const print = ({ below, line }: Tree): ReadonlyArray<string> => [
  line,
  ...below.flatMap((tree, i) => {
    const last = i === below.length - 1
    const [first, ...rest] = print(tree)
    return [`${last ? "└─" : "├─"} ${first}`, ...rest.map((line) => `${last ? "  " : "│ "} ${line}`)]
  })
]

/**
 * The problems in the order of a stack, and times in it that contradict each other; empty for most. It also finds an instance
 * with a memory that stands twice in a path.
 *
 * It reads only the `kind` of a policy, and durations that the settings hold under the names of the options. It ignores
 * limits that are functions.
 *
 * **Example** (A total that is over first)
 *
 * ```ts import.meta.vitest
 * import { Policy, Timeout } from "@effect-resilience/core"
 *
 * const stack = Policy.compose(Timeout.total("10 seconds"), Timeout.attempt("1 minute"))
 *
 * Policy.warnings(stack) // => ["timeout attempt (1m) is longer than timeout total (10s)"]
 * ```
 *
 * @category destructors
 * @since 0.1.0
 */
export const warnings = (policy: Any): ReadonlyArray<string> => warningsOf(policy.info)

/**
 * Prints a stack as a tree with its settings, outermost first, and its {@link warnings} beneath. A stack that limits a call also
 * says where the call runs: in the fiber of its caller, or in a child fiber, and then why.
 *
 * **Example** (A stack)
 *
 * ```ts import.meta.vitest
 * import { Policy, Timeout } from "@effect-resilience/core"
 *
 * const stack = Policy.compose(Timeout.total("1 minute"), Timeout.attempt("10 seconds"))
 *
 * Policy.explain(stack) // => "timeout total (limit: 1m)\n└─ timeout attempt (limit: 10s)\npath: the caller's fiber"
 * ```
 *
 * **Example** (An order that is seldom meant)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker, Policy, Retry } from "@effect-resilience/core"
 *
 * const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(5) })
 * const [warning] = Policy.explain(Policy.compose(breaker, Retry.make())).split("\n").slice(-1)
 *
 * warning // => "warning: circuit-breaker outside retry sees one outcome per logical call, not one per attempt: put it inside"
 * ```
 *
 * @category destructors
 * @since 0.1.0
 */
export const explain = (policy: Any): string =>
  [
    ...treesOf(policy.info).flatMap(print),
    ...limits(policy.info) ? [`path: ${path()}`] : [],
    ...warnings(policy).map((warning) => `warning: ${warning}`)
  ].join("\n")

const limits = ({ children, kind }: PolicyInfo): boolean =>
  kind.startsWith("timeout") || kind === "deadline" || children.some(limits)
