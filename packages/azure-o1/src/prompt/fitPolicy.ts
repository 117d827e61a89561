import type { Message } from "../O1Request.ts"

/**
 * What can be dropped as a whole: a message, or a message that calls tools with the results of the calls.
 *
 * @category models
 * @since 0.1.0
 */
export interface Droppable {
  /** Indices of its messages in the request. */
  readonly indices: ReadonlyArray<number>
  readonly messages: ReadonlyArray<Message>
  readonly tokens: number
}

/**
 * The messages that are dropped, and in which order: a function from everything that may be dropped, oldest first, to what may really be, the
 * first to go first. As much is dropped as has to be.
 *
 * @category models
 * @since 0.1.0
 */
export type DropOrder = (
  droppable: ReadonlyArray<Droppable>,
  state: { readonly budget: number; readonly total: number }
) => ReadonlyArray<Droppable>

/**
 * Texts are cut, the longest first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Truncation {
  readonly _tag: "Truncation"
  readonly lost: "head" | "middle" | "tail"
  readonly marker: string
}

/**
 * @category models
 * @since 0.1.0
 */
export type FitPolicy = DropOrder | Truncation

/**
 * The oldest goes first.
 *
 * @category policies
 * @since 0.1.0
 */
export const dropOldest: DropOrder = (droppable) => droppable

/**
 * The middle goes first: models remember best how a conversation began and how it ended.
 *
 * @category policies
 * @since 0.1.0
 */
export const dropMiddle: DropOrder = (droppable) => {
  const middle = (droppable.length - 1) / 2
  return droppable
    .map((each, index) => ({ each, distance: Math.abs(index - middle) }))
    .toSorted((a, b) => a.distance - b.distance)
    .map(({ each }) => each)
}

/**
 * Cuts the beginning, the middle or the end out of texts, with a marker where something is missing.
 *
 * @category policies
 * @since 0.1.0
 */
export const truncate = (
  lost: "head" | "middle" | "tail",
  options?: {
    /**
     * @default "[...]" on a line of its own
     */
    readonly marker?: string | undefined
  }
): Truncation => ({ _tag: "Truncation", lost, marker: options?.marker ?? "\n[...]\n" })
