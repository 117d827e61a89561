import { List } from "./list.ts"
import { Held, type Permit } from "./permit.ts"

/** Calls under way that become slow ones if they do not answer. */
export class UnderWay {
  /** in the order in which they become slow */
  readonly inTime = new List<Held>()
  readonly overdue = new List<Held>()

  end(permit: Permit): void {
    if (!(permit instanceof Held)) return
    permit.list?.delete(permit)
    permit.suspended = false
  }

  /** How many are overdue, those among them that nobody has noticed yet. */
  lateAt(now: number, after: number): number {
    let late = this.overdue.size
    for (
      let call = this.inTime.first;
      call !== undefined && now - call.startedAt >= after;
      call = this.inTime.after(call)
    ) late++
    return late
  }

  /** Moves those that have become slow to the overdue. Tells whether there are any. */
  notice(now: number, after: number): boolean {
    for (let call = this.inTime.first; call !== undefined && now - call.startedAt >= after; call = this.inTime.first) {
      this.overdue.push(call)
    }
    return this.overdue.size > 0
  }

  suspend(permit: Held): void {
    if (this.inTime.delete(permit)) permit.suspended = true
  }

  resume(permit: Held): void {
    if (!permit.suspended) return
    permit.suspended = false
    let behind = this.inTime.last
    while (behind !== undefined && behind.startedAt > permit.startedAt) behind = this.inTime.before(behind)
    this.inTime.insert(permit, behind)
  }
}
