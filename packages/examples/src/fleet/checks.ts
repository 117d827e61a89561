/** What the fleet promises, and whether it was so. */
import type { Look, Run } from "./run.ts"
import { processes, regions, type Step } from "./scenario.ts"
import { type Seen, sum } from "./watch.ts"

export interface Check {
  readonly promise: string
  readonly holds: boolean
  /** The figures that show it. */
  readonly seen: string
}

/** The looks in a part of a phase, from so many seconds after its beginning on. */
const looksIn = ({ looks, phases }: Run, step: Step, after: number): ReadonlyArray<Look> => {
  const phase = phases.find((each) => each.step === step)!
  return looks.filter(({ at }) => at >= phase.from + after && at < phase.to)
}

const alive = ({ processes }: Look): ReadonlyArray<Seen> => processes.filter(({ status }) => status !== "gone")

const isStoreReason = (reason: string): boolean => reason.includes("store")

const isResting = (reason: string): boolean => /^(?:balancer|pool) /u.test(reason)

/** That a call waits for its turn is what a quota is for. */
const isWell = ({ reasons, status }: Seen): boolean =>
  status === "up" || (status === "degraded" && reasons.every((reason) => reason.startsWith("quota ")))

const local = ({ samples }: Seen): number => sum(samples, "resilience_limiter_mode", { state: "local" })

/** A process asks again for a store that was away after 5 seconds at the latest, and a little more by chance. */
const asksAgain = 7

const lost = ({ outcomes }: Run): Check => {
  const missing = outcomes.filter(({ answer }) => answer === undefined)
  const why = new Set(missing.map(({ why }) => why))
  return {
    promise: "every call is answered within its deadline",
    holds: missing.length === 0,
    seen: missing.length === 0
      ? `${outcomes.length} of ${outcomes.length}`
      : `${missing.length} of ${outcomes.length} were not: ${[...why].join("; ")}`
  }
}

const right = ({ outcomes }: Run): Check => {
  const wrong = outcomes.filter(({ answer, id }) => answer !== undefined && answer.text !== `You are ${id}.`)
  return {
    promise: "every answer belongs to its call",
    holds: wrong.length === 0,
    seen: wrong.length === 0 ? "all" : `${wrong.length} do not: ${wrong[0]!.id} got ${wrong[0]!.answer!.text}`
  }
}

const once = ({ outcomes, written }: Run): Check => {
  const answered = outcomes.filter(({ answer }) => answer !== undefined).length
  return {
    promise: "no answer is written twice",
    holds: written >= answered && new Set(outcomes.map(({ id }) => id)).size === outcomes.length,
    seen: `${written} written for ${answered} calls`
  }
}

const quota = ({ last }: Run): Check => {
  const all = regions.map((region) => last.regions[region])
  const asked = all.reduce((total, each) => total + each.asked, 0)
  const refused = all.reduce((total, each) => total + each.refused, 0)
  return {
    promise: "at most 1 % of the requests are refused for the quota",
    holds: refused <= asked * 0.01,
    seen: `${refused} of ${asked}`
  }
}

/** What holds for every process in every look of a part of the run. */
const always = (promise: string, looks: ReadonlyArray<Look>, holds: (seen: Seen) => boolean): Check => {
  const all = looks.flatMap((look) => alive(look).map((seen) => ({ at: look.at, seen })))
  const bad = all.find(({ seen }) => !holds(seen))
  return {
    promise,
    holds: all.length > 0 && bad === undefined,
    seen: bad === undefined
      ? `${all.length} looks`
      : `at ${bad.at.toFixed(0)} s: ${bad.seen.status}, ${bad.seen.reasons.join("; ") || "no reason"}`
  }
}

/** A balancer lets a deployment that failed come back now and then, to see: it need not say so all the time. */
const said = (run: Run): Check => {
  const all = looksIn(run, "outage", 0).flatMap(alive)
  const down = all.filter(({ status }) => status === "down")
  const told = new Set(all.filter(({ reasons }) => reasons.some(isResting)).map(({ pid }) => pid))
  return {
    promise: "while east is down every process says so, and serves",
    holds: told.size === processes && down.length === 0,
    seen: `${told.size} of ${processes} said so, ${down.length} of ${all.length} looks found one down`
  }
}

const counted = ({ last, outcomes, victim }: Run): Check => {
  const rows = last.processes.filter(({ pid }) => pid !== victim).map(({ pid, samples }) => ({
    told: sum(samples, "resilience_calls_total", { name: "ask", outcome: "success" }),
    seen: outcomes.filter(({ answer }) => answer?.pid === pid).length
  }))
  return {
    promise: "the metrics of each process count the answers that its callers got",
    holds: rows.every(({ seen, told }) => told === seen),
    seen: rows.map(({ seen, told }) => `${told}/${seen}`).join(", ")
  }
}

const store = (run: Run): ReadonlyArray<Check> => {
  const { storeBack, storeGone } = run.moments
  const away = run.looks.filter(({ at }) => at >= storeGone + 1 && at <= storeBack)
  const back = run.looks.filter(({ at }) => at >= storeBack + asksAgain)
  return [
    always(
      "without Redis each process limits itself, and says so",
      away,
      (seen) => seen.status === "degraded" && seen.reasons.some(isStoreReason) && local(seen) > 0
    ),
    always(
      "with Redis back they share again",
      back,
      (seen) => !seen.reasons.some(isStoreReason) && local(seen) === 0
    )
  ]
}

const killed = ({ last, looks, moments }: Run): Check => {
  const without = looks.filter(({ at }) => at >= moments.killed + 0.5 && at < moments.replaced)
  const after = [...looks.filter(({ at }) => at >= moments.replaced + 0.5), last]
  const two = without.length > 0 && without.every((look) => alive(look).length === processes - 1)
  const three = after.length > 0 && after.every((look) => alive(look).length === processes)
  return {
    promise: "a killed process is gone, and its successor serves",
    holds: two && three,
    seen: `${without.length} looks at two, ${after.length} at three`
  }
}

/** All promises, in the order of the report. */
export const check = (run: Run): ReadonlyArray<Check> => [
  lost(run),
  right(run),
  once(run),
  quota(run),
  always("all processes are up before anything fails", looksIn(run, "steady", 1), isWell),
  said(run),
  always("a squeezed quota takes nobody down", looksIn(run, "squeeze", 0), ({ status }) => status !== "down"),
  ...store(run),
  killed(run),
  counted(run),
  always("all processes are up at the end", [run.last], isWell)
]
