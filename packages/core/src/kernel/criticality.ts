/** How much it matters that a call is served, the highest first, as in "Handling Overload" (Site Reliability Engineering, chapter 21). */
export const criticalities = ["critical-plus", "critical", "sheddable-plus", "sheddable"] as const

export type Criticality = typeof criticalities[number]

/** What a call is of which nobody has said anything. */
export const usual: Criticality = "critical"

const ranks: ReadonlyMap<unknown, number> = new Map(criticalities.map((criticality, rank) => [criticality, rank]))

/** 0 is the highest. What no type has checked counts as the usual one. */
export const rankOf = (criticality: Criticality): number => ranks.get(criticality) ?? ranks.get(usual)!

export const isCriticality = (value: unknown): value is Criticality => ranks.has(value)

/** The lower one of two. */
export const lower = (one: Criticality, other: Criticality): Criticality =>
  criticalities[Math.max(rankOf(one), rankOf(other))]!

/**
 * Reads a header; the book writes `CRITICAL_PLUS`. A header that is there more than once is a list with commas (RFC 9110, section
 * 5.2), and the lowest of it counts: a caller says something else before a proxy does, and must not get more by it.
 */
export const parse = (header: string): Criticality | undefined =>
  header.split(",").map((word) => word.trim().toLowerCase().replaceAll("_", "-")).filter(isCriticality).reduce<
    Criticality | undefined
  >((lowest, said) => lowest === undefined ? said : lower(lowest, said), undefined)
