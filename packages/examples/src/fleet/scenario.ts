/** What happens to the fleet, and when. */

/** What a step changes. */
export type Step = "steady" | "outage" | "squeeze" | "restart" | "kill" | "recovery"

export interface Phase {
  readonly step: Step
  readonly title: string
  /** In seconds since the load began. */
  readonly from: number
  readonly to: number
}

const parts: ReadonlyArray<readonly [step: Step, title: string, share: number]> = [
  ["steady", "all is well", 0.15],
  ["outage", "east is down", 0.2],
  ["squeeze", "west has half its quota", 0.2],
  ["restart", "Redis restarts empty", 0.15],
  ["kill", "a process is killed and replaced", 0.15],
  ["recovery", "all is well again", 0.15]
]

/** The phases of a run of that many seconds, one after the other. */
export const phasesOf = (seconds: number): ReadonlyArray<Phase> => {
  let from = 0
  return parts.map(([step, title, share]) => {
    const phase = { step, title, from, to: from + share * seconds }
    from = phase.to
    return phase
  })
}

export const phaseAt = (phases: ReadonlyArray<Phase>, second: number): Phase =>
  phases.findLast(({ from }) => second >= from) ?? phases[0]!

/** The regions. Each deployment admits so many requests and tokens in a minute. */
export const regions = ["east", "west", "north"] as const

export type Region = typeof regions[number]

export const requestsPerMinute = 480
export const tokensPerMinute = 480_000
/** While `west` is squeezed it admits so many requests in a minute. */
export const squeezed = 240

/** How many processes serve. */
export const processes = 3

/** A caller gives up after so long. */
export const patience = 20_000
