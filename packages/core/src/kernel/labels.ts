/** The label of what did not fit any more. */
const other = "other"

/**
 * Names as labels of metrics, of which there can be only so many: each takes memory for as long as the process lives. The first
 * come first; the rest share one label.
 */
export class Labels {
  private readonly known = new Set<string>()
  private readonly most: number

  constructor(most: number) {
    this.most = most
  }

  of(name: string | undefined): string {
    if (name === undefined) return "none"
    if (this.known.has(name)) return name
    if (this.known.size >= this.most) return other
    this.known.add(name)
    return name
  }
}

/** The number that all attempts from this one on share. */
export const lastAttempt = 6

/** Attempts are told apart up to the fifth. */
export const attemptLabel = (attempt: number): string => attempt < lastAttempt ? String(attempt) : `${lastAttempt}+`

/** How an end is called, in metrics, logs and spans. */
export const outcomeLabel = (fault: { readonly _tag: string } | undefined): string =>
  fault === undefined ? "success" : fault._tag.toLowerCase()
