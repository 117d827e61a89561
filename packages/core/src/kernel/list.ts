/** What can stand in a {@link List}, in one at a time. The fields are the list's. */
export abstract class Linked {
  older: Linked | undefined = undefined
  newer: Linked | undefined = undefined
  list: List<any> | undefined = undefined
}

/**
 * A list whose members carry their own links: entering, leaving and looking at the first one take the
 * same time however long it is and whichever members have left. A `Set` or `Map` keeps a hole where a member has been, until it is
 * rebuilt, and a look at its first member walks past all of them.
 */
export class List<T extends Linked> {
  first: T | undefined = undefined
  last: T | undefined = undefined
  size = 0

  has(member: Linked): boolean {
    return member.list === this
  }

  /** Enters at the end. The member leaves the list in which it has been, also if that is this one. */
  push(member: T): void {
    member.list?.delete(member)
    this.insert(member, this.last)
  }

  /** Enters behind another one, at the front if there is none. A member that is in no list. */
  insert(member: T, behind: T | undefined): void {
    member.list = this
    const newer = behind === undefined ? this.first : this.after(behind)
    member.older = behind
    member.newer = newer
    if (behind === undefined) this.first = member
    else behind.newer = member
    if (newer === undefined) this.last = member
    else newer.older = member
    this.size++
  }

  /** The one behind this one. */
  after(member: T): T | undefined {
    return member.newer as T | undefined // only `insert` sets it, to a member of this list
  }

  /** The one before this one. */
  before(member: T): T | undefined {
    return member.older as T | undefined // as above
  }

  /** Whether it has been in this list. */
  delete(member: T): boolean {
    if (member.list !== this) return false
    const newer = this.after(member)
    const older = this.before(member)
    if (older === undefined) this.first = newer
    else older.newer = newer
    if (newer === undefined) this.last = older
    else newer.older = older
    member.older = member.newer = member.list = undefined
    this.size--
    return true
  }
}
