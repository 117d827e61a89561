import * as Duration from "effect/Duration"
import type { Limit } from "../../internal/rateLimiterRules.ts"
import type { Costs } from "../../kernel/rateLimiter.ts"
import type { Snapshot } from "../kernel/snapshot.ts"

/** Marks are the store's times; a dimension in which nothing was taken has none. */
type Marks = ReadonlyArray<number>

export type Wire = readonly [kind: Limit["kind"], limit: number, within: number, burst: number]

/** The store does what it is asked in this order, and nothing else meanwhile. */
export type Op =
  /** For a caller that may wait for so many milliseconds: granted, or how long it waits. Nobody overtakes one who waits. */
  | readonly ["T", costs: Costs, latest: number]
  /** Permits for calls that are still to come, as far as there is room. */
  | readonly ["X", costs: Costs]
  /** Gives back. */
  | readonly ["B", amounts: Costs, marks: Marks]
  | readonly ["S", costs: Costs, marks: Marks, actual: Costs]
  /**
   * Charges, room or no room. A store that was not `born` then charges only what a process with that share can have used
   * since it was.
   */
  | readonly ["C", costs: Costs, born: number, share: number]
  /** Says how much is used. */
  | readonly ["D"]
  /** This process is alive. */
  | readonly ["H"]
  /** This process leaves. */
  | readonly ["L"]

export const wireOf = ({ burst, kind, limit, within }: Limit): Wire => [kind, limit, Duration.toMillis(within), burst]

export type Answer =
  | { readonly _tag: "Granted"; readonly marks: Marks; readonly amounts: Costs }
  | { readonly _tag: "Waits" | "Refused"; readonly wait: number; readonly dimension: number }
  /** behind one who waits */
  | { readonly _tag: "Behind" }
  | { readonly _tag: "None" }

export interface Reply {
  /** the store's time */
  readonly at: number
  readonly version: number
  readonly born: number
  readonly processes: number
  /** the time by the clock of the store, which may be set */
  readonly clock: number
  /** how many processes it has heard since the time that was asked for */
  readonly heard: number
  /** where they are news to this process */
  readonly limits: ReadonlyArray<Limit> | undefined
  /** by dimension, where it was said */
  readonly used: ReadonlyArray<Snapshot | undefined>
  readonly answers: ReadonlyArray<Answer>
}

const number = (text: string): number => text === "inf" ? Infinity : text === "-" ? Number.NaN : Number(text)
const numbers = (text: string): ReadonlyArray<number> => text === "" ? [] : text.split(" ").map(number)

const limitOf = (text: string): Limit => {
  const [kind, ...rest] = text.split(" ")
  const [limit, within, burst] = rest.map(Number)
  return { kind: kind as Limit["kind"], limit: limit!, within: Duration.millis(within!), burst: burst! } // one of ours
}

const snapshotOf = (text: string, { kind }: { readonly kind: Limit["kind"] }): Snapshot | undefined => {
  if (text === "-") return undefined
  const values = numbers(text)
  if (kind === "fixed-window") return { kind, openedAt: values[0]!, used: values[1]! }
  if (kind !== "sliding-window") return { kind: "spaced", paidBy: values[0]! }
  const slices = values.flatMap((to, i) => i % 2 === 0 ? [{ to, used: values[i + 1]! }] : [])
  return { kind, slices }
}

const answerOf = (text: string, dimensions: number): Answer => {
  const values = numbers(text.slice(2))
  switch (text[0]) {
    case "g":
      return { _tag: "Granted", marks: values.slice(0, dimensions), amounts: values.slice(dimensions) }
    case "w":
    case "r":
      return { _tag: text[0] === "w" ? "Waits" : "Refused", wait: values[0]!, dimension: values[1]! }
    case "b":
      return { _tag: "Behind" }
    default:
      return { _tag: "None" }
  }
}

/** What the script says. */
export const replyOf = (
  [head, limits, used, ...answers]: ReadonlyArray<string>,
  known: ReadonlyArray<{ readonly kind: Limit["kind"] }>
): Reply => {
  const [at, version, born, processes, clock, heard] = numbers(head!)
  return {
    at: at!,
    version: version!,
    born: born!,
    processes: Math.max(1, processes!),
    clock: clock!,
    heard: heard!,
    limits: limits === "" ? undefined : limits!.split("|").map(limitOf),
    used: used!.split("|").map((text, i) => snapshotOf(text, known[i]!)),
    answers: answers.map((text) => answerOf(text, known.length))
  }
}
