/** How a policy, or all of them, are doing. */
export type Status = "up" | "degraded" | "down"

/** A policy and its state, as the registry lists it. */
export interface Entry {
  readonly kind: string
  readonly name: string
  readonly state: Readonly<Record<string, unknown>>
}

/** Why a policy is not up. */
export interface Reason {
  readonly kind: string
  readonly name: string
  readonly status: Exclude<Status, "up">
  readonly reason: string
  /** How many policies of this kind and name are not up. */
  readonly count: number
}

export interface Health {
  readonly status: Status
  readonly reasons: ReadonlyArray<Reason>
}

type Verdict = readonly [status: Exclude<Status, "up">, reason: string] | undefined
type State = Entry["state"]

const numberOf = (value: unknown): number => typeof value === "number" ? value : 0

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? value as Readonly<Record<string, unknown>> : {}

const seconds = (millis: unknown): string => `${Math.ceil(numberOf(millis) / 1000)} s`

const sum = (counts: unknown): number =>
  typeof counts === "number" ? counts : Object.values(recordOf(counts)).reduce<number>((a, b) => a + numberOf(b), 0)

const ofBreaker = ({ _tag, openings, retryAfterMillis }: State): Verdict => {
  switch (_tag) {
    case "Open":
      return ["down", `open, ${String(openings)} in a row; it tries again in ${seconds(retryAfterMillis)}`]
    case "Isolated":
      return ["down", "isolated by hand"]
    case "HalfOpen":
      return ["degraded", "half-open: it lets a few calls through to see"]
    default:
      return undefined
  }
}

const ofBulkhead = ({ concurrency, inUse, maxQueue, queued }: State): Verdict =>
  numberOf(inUse) >= numberOf(concurrency) && numberOf(queued) >= numberOf(maxQueue)
    ? [
      "degraded",
      `full: ${String(inUse)} of ${String(concurrency)} calls run, ${String(queued)} of ${String(maxQueue)} wait`
    ]
    : undefined

/** What rests, in words: the state has a word for each endpoint, and no name of one leaves this place. */
const ofEndpoints = (endpoints: unknown): Verdict => {
  const statuses = Object.values(recordOf(endpoints)).map((endpoint) =>
    typeof endpoint === "string" ? endpoint : String(recordOf(endpoint)["status"])
  )
  const resting = statuses.filter((status) => status !== "available" && status !== "warming")
  if (statuses.length === 0) return ["down", "it has no endpoint"]
  if (resting.length === 0) return undefined
  const cooling = resting.filter((status) => status === "cooling").length
  const words = [`${cooling} cooling`, `${resting.length - cooling} ejected`].filter((word) => !word.startsWith("0"))
  const some = `${resting.length} of ${statuses.length} endpoints rest: ${words.join(", ")}`
  // what is ejected is asked nevertheless when there is nothing else; what has asked for a rest is not
  return cooling === statuses.length ? ["down", some] : ["degraded", some]
}

/** A pool has a balancer, which tells of pauses and ejections. The pool adds which members do not work. */
const ofMembers = (members: unknown): Verdict => {
  const statuses = Object.values(recordOf(members))
  const last = statuses.filter((status) => status === "last").length
  if (last === 0) return undefined
  return [
    last === statuses.length ? "down" : "degraded",
    `${last} of ${statuses.length} members do not work, or are too slow`
  ]
}

const waits = (count: number): string => count === 1 ? "1 waits for its turn" : `${count} wait for their turn`

/** A limiter whose state is shared says where its state is now. */
const ofLimiter = ({ limits, mode, waiting }: State): Verdict => {
  if (mode === "local") return ["degraded", "the store is away: this process keeps to its own share"]
  const count = sum(waiting)
  const used = Object.entries(recordOf(limits)).filter(([, limit]) => numberOf(recordOf(limit)["available"]) < 1)
  return count > 0 && used.length > 0
    ? ["degraded", `used up (${used.map(([dimension]) => dimension).join(", ")}): ${waits(count)}`]
    : undefined
}

const ofQuota = (state: State): Verdict => {
  if (state["mode"] === "local") return ofLimiter(state)
  const waiting = sum(state["waiting"])
  if (waiting === 0) return undefined
  const left = Object.entries(recordOf(state["remaining"])).flatMap(([dimension, rest]) =>
    typeof rest === "number" ? [`${Math.floor(rest)} ${dimension}`] : []
  )
  return [
    "degraded",
    [waits(waiting), ...left.length === 0 ? [] : [`left of the minute: ${left.join(", ")}`]].join("; ")
  ]
}

const ofBudget = ({ available }: State): Verdict =>
  typeof available === "number" && available < 1 ? ["degraded", "used up: no call is repeated"] : undefined

const verdicts: Readonly<Record<string, (state: State) => Verdict>> = {
  "circuit-breaker": ofBreaker,
  bulkhead: ofBulkhead,
  "adaptive-limit": ofBulkhead,
  balancer: ({ endpoints }) => ofEndpoints(endpoints),
  pool: ({ members }) => ofMembers(members),
  "rate-limiter": ofLimiter,
  quota: ofQuota,
  "retry-budget": ofBudget
}

/** A policy of somebody's own says itself how it is doing: `status`, and `reason` in words. */
const ofOwn = ({ reason, status }: State): Verdict =>
  status === "degraded" || status === "down" ? [status, typeof reason === "string" ? reason : status] : undefined

const verdictOf = ({ kind, state }: Entry): Verdict => {
  const own = verdicts[kind]
  return own === undefined ? ofOwn(state) : own(state)
}

const worse = (a: Status, b: Status): boolean => a === "down" && b !== "down"

/** Without one of these nothing is left to be asked. */
const isLast = ({ kind }: Entry): boolean => kind === "balancer" || kind === "pool"

/**
 * The health of a program from the states of its policies. A policy that refuses everything makes the program `down` only if the program cannot do without it; otherwise it is `degraded`.
 * Policies of one kind and name are one reason, so that there are never more reasons than names.
 */
export const healthOf = (
  entries: ReadonlyArray<Entry>,
  isCritical: (entry: Entry) => boolean = isLast
): Health => {
  const reasons = new Map<string, Reason>()
  let status: Status = "up"
  for (const entry of entries) {
    const verdict = verdictOf(entry)
    if (verdict === undefined) continue
    const [own, reason] = verdict
    const whole = own === "down" && isCritical(entry) ? "down" : "degraded"
    if (status === "up" || worse(whole, status)) status = whole
    const { kind, name } = entry
    const key = JSON.stringify([kind, name])
    const known = reasons.get(key)
    const count = (known?.count ?? 0) + 1
    reasons.set(
      key,
      known === undefined || worse(own, known.status)
        ? { kind, name, status: own, reason, count }
        : { ...known, count }
    )
  }
  const all = Array.from(reasons.values())
  return {
    status,
    reasons: [...all.filter((reason) => reason.status === "down"), ...all.filter((reason) => reason.status !== "down")]
  }
}
