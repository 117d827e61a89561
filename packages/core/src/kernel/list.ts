/** What can stand in a {@link List}, in one at a time. The fields are the list's. */
export abstract class Linked {
  older: Linked | undefined = undefined
  newer: Linked | undefined = undefined
  list: List<any> | undefined = undefined
}

/**
 * A list in the order of entry, whose members carry their own links: entering, leaving and looking at the first one take the
 * same time however long it is and whoever has left. A `Set` or `Map` keeps a hole where a member has been, until it is
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
    member.list = this
    member.older = this.last
    if (this.last === undefined) this.first = member
    else this.last.newer = member
    this.last = member
    this.size++
  }

  /** The one that has entered after this one. */
  after(member: T): T | undefined {
    return member.newer as T | undefined // only `push` sets it, to a member of this list
  }

  /** Whether it has been in this list. */
  delete(member: T): boolean {
    if (member.list !== this) return false
    const { newer, older } = member
    if (older === undefined) this.first = newer as T | undefined // as above
    else older.newer = newer
    if (newer === undefined) this.last = older as T | undefined // as above
    else newer.older = older
    member.older = member.newer = member.list = undefined
    this.size--
    return true
  }
}
