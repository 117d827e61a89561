import type { Cost } from "./cost.ts"

/** A caller, and its share of the quota against the others. */
export interface Caller {
  readonly key: string
  readonly weight: number
}

/** A call in the queue. */
export interface Waiting {
  readonly caller: Caller
  readonly cost: Cost
  /** The share of a minute that it takes, by the limits that hold. */
  share: number
}

/** Those that pass a call may take so many times what it takes itself. */
const tolerance = 2

/** One caller: its calls in their order, and how far its account has run. */
class Flow<W extends Waiting> {
  readonly key: string
  weight: number
  /** The tag at which what it was given is paid for. */
  finish: number
  /** The tag of its first call. */
  start: number
  readonly calls = new Set<W>()

  constructor({ key, weight }: Caller, virtual: number) {
    this.key = key
    this.weight = weight
    this.start = this.finish = virtual
  }

  get first(): W {
    return this.calls.values().next().value!
  }
}

/**
 * Start-time fair queueing (Goyal, Vin and Cheng 1996) over the share of a minute that a call takes of the limit it takes most
 * of (dominant resource fair queueing, Ghodsi et al. 2012). A caller pays when a call of its is let through, so that a call that
 * goes away has cost nothing, and a caller that was idle has saved nothing up.
 *
 * The first call is next. While there is no room for it, calls that are smaller may go before it; all that pass it take together
 * no more than it takes itself.
 */
export class Queue<W extends Waiting> {
  private readonly flows = new Map<string, Flow<W>>()
  /** The start tag of the call that was let through last. */
  private virtual = 0
  private count = 0
  /** The call that is next, and the share of those that went before it. */
  private next: W | undefined = undefined
  private passed = 0

  get size(): number {
    return this.count
  }

  add(call: W): void {
    const { caller } = call
    let flow = this.flows.get(caller.key)
    if (flow === undefined) this.flows.set(caller.key, flow = new Flow(caller, this.virtual))
    flow.weight = caller.weight
    if (flow.calls.size === 0) flow.start = Math.max(this.virtual, flow.finish)
    flow.calls.add(call)
    this.count++
  }

  /** The call that is next. */
  first(): W | undefined {
    let first: Flow<W> | undefined
    for (const flow of this.flows.values()) {
      if (flow.calls.size > 0 && (first === undefined || flow.start < first.start)) first = flow
    }
    const next = first?.first
    if (next !== this.next) {
      this.next = next
      this.passed = 0
    }
    return next
  }

  /** While there is no room for the call that is next: the largest of those behind it that fits and may pass, `look` of each caller at most. */
  passing(fits: (call: W) => boolean, look = 64): W | undefined {
    const next = this.first()
    if (next === undefined) return undefined
    const left = next.share * tolerance - this.passed
    let best: W | undefined
    for (const { calls } of this.flows.values()) {
      let seen = 0
      for (const call of calls) {
        if (++seen > look) break
        // a call that takes as much fits only because time has passed since the one that is next was tried
        const isSmaller = call.cost.tokens < next.cost.tokens && call.share <= left
        const isBetter = best === undefined || call.share > best.share
        if (isSmaller && isBetter && fits(call)) best = call
      }
    }
    return best
  }

  /** A call is let through, and its caller pays for it. */
  admit(call: W): void {
    const flow = this.flows.get(call.caller.key)
    if (this.first() !== call) this.passed += call.share
    if (flow === undefined || !flow.calls.delete(call)) return
    this.count--
    const { start } = flow
    flow.finish = start + call.share / flow.weight
    flow.start = flow.finish
    this.virtual = Math.max(this.virtual, start)
    this.forget()
  }

  /** A call goes away. */
  remove(call: W): void {
    const flow = this.flows.get(call.caller.key)
    if (flow === undefined || !flow.calls.delete(call)) return
    this.count--
    this.forget()
  }

  /** Other limits hold: what waits takes another share of them, and what a caller has had is counted for one call at most. */
  reprice(shareOf: (call: W) => number): void {
    for (const flow of this.flows.values()) {
      for (const call of flow.calls) call.share = shareOf(call)
      const ahead = flow.calls.size === 0 ? 0 : flow.first.share / flow.weight
      flow.start = Math.min(flow.start, this.virtual + ahead)
      flow.finish = Math.min(flow.finish, flow.start)
    }
    this.next = undefined
  }

  /** A call that was let through was never sent, and its caller has not had it. */
  refund({ caller, share }: W): void {
    const flow = this.flows.get(caller.key)
    if (flow === undefined) return
    flow.finish -= share / flow.weight
    if (flow.calls.size > 0) flow.start = Math.max(this.virtual, flow.start - share / flow.weight)
  }

  /** The cost of the calls that go before one that comes now, by what is known now. */
  ahead({ key, weight }: Caller, share: number): Cost {
    const own = this.flows.get(key)
    let before = share
    for (const call of own?.calls ?? []) before += call.share
    let requests = 0
    let tokens = 0
    for (const flow of this.flows.values()) {
      let room = flow === own ? Infinity : before * flow.weight / weight
      for (const call of flow.calls) {
        if (room <= 0) break
        room -= call.share
        requests += call.cost.requests
        tokens += call.cost.tokens
      }
    }
    return { requests, tokens }
  }

  /** How many calls of each caller wait. */
  byCaller(): Readonly<Record<string, number>> {
    const flows = Array.from(this.flows.values()).filter(({ calls }) => calls.size > 0)
    return Object.fromEntries(flows.map(({ calls, key }) => [key, calls.size]))
  }

  calls(): ReadonlyArray<W> {
    return Array.from(this.flows.values()).flatMap(({ calls }) => Array.from(calls))
  }

  /** A caller that has paid for all it was given is as one that never called. */
  private forget(): void {
    if (this.count === 0) {
      this.flows.clear()
      this.virtual = 0
      return
    }
    for (const [key, { calls, finish }] of this.flows) {
      if (calls.size === 0 && finish <= this.virtual) this.flows.delete(key)
    }
  }
}
