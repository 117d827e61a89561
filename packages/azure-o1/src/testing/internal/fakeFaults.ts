/** Faults by chance. */
import type { FakeFaults } from "../FakeOptions.ts"
import type { FakeFaultKind, Reply } from "../FakeReply.ts"
import * as replies from "./fakeReplies.ts"

/** Those that another attempt mends. */
const defaultKinds: ReadonlyArray<FakeFaultKind> = ["status", "reset", "truncate", "error", "empty", "error-body"]

const statuses = [408, 429, 500, 502, 503]

/** The mulberry32 generator: numbers from 0 to 1, the same for the same seed. */
const random = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = state + 0x6d2b79f5 >>> 0
    let mixed = Math.imul(state ^ state >>> 15, state | 1)
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61)
    return ((mixed ^ mixed >>> 14) >>> 0) / 4_294_967_296
  }
}

/** What becomes of a reply. */
export type Injection = (reply: Reply) => Reply

const mended = (reply: Reply): Reply => ({ ...reply, fault: undefined, injects: undefined })

/**
 * For each request in turn, the fault that hits it. Three numbers are drawn for each, whether it is hit or not, so that
 * another rate or other kinds leave the rest as it was.
 */
export const make = (faults: FakeFaults): () => Injection | undefined => {
  const { after = 0, kinds = defaultKinds, rate, seed = 0, slow = "1 second" } = faults
  if (!(rate >= 0 && rate <= 1)) throw new RangeError(`FakeAzure: faults.rate must be from 0 to 1, got ${rate}`)
  if (!Number.isInteger(seed)) throw new RangeError(`FakeAzure: faults.seed must be an integer, got ${seed}`)
  if (kinds.length === 0) throw new RangeError("FakeAzure: faults.kinds must name a kind, got none")
  if (after !== "nothing" && !(Number.isInteger(after) && after >= 0)) {
    throw new RangeError(`FakeAzure: faults.after must be "nothing" or an integer of 0 or more, got ${after}`)
  }
  const next = random(seed)
  return () => {
    const [hit, which, variant] = [next(), next(), next()]
    if (hit >= rate) return undefined
    const kind = kinds[Math.floor(which * kinds.length)]!
    switch (kind) {
      case "status":
        return () => replies.status(statuses[Math.floor(variant * statuses.length)]!, { retryAfter: "1 millis" })
      case "page":
        return () => replies.page
      case "empty":
        return () => replies.empty
      case "error-body":
        return () => replies.errorBody
      case "slow":
        return (reply) => replies.slow(slow, mended(reply))
      case "slow-create":
        return (reply) => replies.slowCreate(slow, mended(reply))
      case "unreadable":
        return (reply) => replies.unreadable(slow, mended(reply))
      default:
        return (reply) => replies.broken(kind, after, mended(reply))
    }
  }
}
