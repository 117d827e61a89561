import * as Histogram from "@effect-resilience/core/Histogram"
import * as Duration from "effect/Duration"
import type { AttemptObservation, CallObservation, ConnectionObservation } from "../O1Observation.ts"
import { countOf, isCutOff } from "./outcomes.ts"
import type { OriginSnapshot, SeriesSnapshot } from "./snapshot.ts"

/** More kinds of outcome than there are errors; beyond it they are counted together. */
const maxOutcomes = 64

class Outcomes {
  private readonly counts = new Map<string, number>()

  add(outcome: string, count = 1): void {
    const label = this.counts.has(outcome) || this.counts.size < maxOutcomes ? outcome : "other"
    this.counts.set(label, (this.counts.get(label) ?? 0) + count)
  }

  merge(other: Readonly<Record<string, number>>): void {
    for (const [outcome, count] of Object.entries(other)) this.add(outcome, count)
  }

  toData(): Record<string, number> {
    return Object.fromEntries(this.counts)
  }
}

/** What one generation has learned of one deployment, model and effort. */
export class Tally {
  readonly total = Histogram.empty()
  private readonly headers = Histogram.empty()
  private readonly firstOutput = Histogram.empty()
  private readonly attemptOutcomes = new Outcomes()
  private retries = 0
  private readonly callTotal = Histogram.empty()
  private readonly tokensPerSecond = Histogram.empty()
  private readonly outputTokens = Histogram.empty()
  private readonly reasoningShare = Histogram.empty()
  private readonly callOutcomes = new Outcomes()
  /** Of calls that were observed here, not merged. */
  observed = 0

  /** `from`: what attempts of this number have already survived. */
  attempt(observation: AttemptObservation, from: number): void {
    const { attempt, firstOutput, headers, outcome, transport } = observation
    const total = Duration.toMillis(observation.total)
    const censored = isCutOff(outcome)
    this.attemptOutcomes.add(outcome)
    if (attempt > 1) this.retries++
    if (outcome === "success" || censored) this.total.add(total, { censored, from })
    // what was not sent waits for nothing
    if (transport === undefined) return
    if (headers !== undefined) this.headers.add(Duration.toMillis(headers))
    else if (censored) this.headers.add(total, { censored })
    if (firstOutput !== undefined) this.firstOutput.add(Duration.toMillis(firstOutput), { from })
    else if (censored && transport === "stream") this.firstOutput.add(total, { censored, from })
  }

  call({ attempts, outcome, total, usage }: CallObservation): void {
    const censored = isCutOff(outcome)
    this.observed++
    this.callOutcomes.add(outcome)
    if (outcome === "success" || censored) this.callTotal.add(Duration.toMillis(total), { censored })
    if (usage === undefined || usage.output === 0) return
    this.outputTokens.add(usage.output)
    this.reasoningShare.add(usage.reasoning / usage.output)
    const seconds = Duration.toSeconds(total)
    if (attempts === 1 && seconds > 0) this.tokensPerSecond.add(usage.output / seconds)
  }

  merge({ attempts, calls }: Pick<SeriesSnapshot, "attempts" | "calls">): void {
    this.attemptOutcomes.merge(attempts.outcomes)
    this.retries += attempts.retries
    this.headers.merge(attempts.headers)
    this.firstOutput.merge(attempts.firstOutput)
    this.total.merge(attempts.total)
    this.callOutcomes.merge(calls.outcomes)
    this.callTotal.merge(calls.total)
    this.tokensPerSecond.merge(calls.tokensPerSecond)
    this.outputTokens.merge(calls.outputTokens)
    this.reasoningShare.merge(calls.reasoningShare)
  }

  toData(): Pick<SeriesSnapshot, "attempts" | "calls"> {
    return {
      attempts: {
        outcomes: this.attemptOutcomes.toData(),
        retries: this.retries,
        headers: this.headers.toData(),
        firstOutput: this.firstOutput.toData(),
        total: this.total.toData()
      },
      calls: {
        outcomes: this.callOutcomes.toData(),
        total: this.callTotal.toData(),
        tokensPerSecond: this.tokensPerSecond.toData(),
        outputTokens: this.outputTokens.toData(),
        reasoningShare: this.reasoningShare.toData()
      }
    }
  }
}

/** What one generation has learned of one origin. */
export class Connections {
  private readonly connect = Histogram.empty()
  private failed = 0

  add({ duration, failed }: ConnectionObservation): void {
    if (failed) this.failed++
    else this.connect.add(Duration.toMillis(duration))
  }

  merge({ connect, failed }: OriginSnapshot): void {
    this.connect.merge(connect)
    this.failed += failed
  }

  toData(): Omit<OriginSnapshot, "origin"> {
    return { failed: this.failed, connect: this.connect.toData() }
  }
}

/** Whether there is anything to tell. */
export const isEmpty = ({ attempts, calls }: Pick<SeriesSnapshot, "attempts" | "calls">): boolean =>
  countOf(attempts.outcomes) + countOf(calls.outcomes) === 0
