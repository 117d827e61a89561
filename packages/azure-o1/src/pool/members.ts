import type { O1Transport } from "../O1Transport.ts"
import type { MemberKind } from "./PoolMember.ts"

/** One of several deployments, by a name that no other has. */
export interface Member {
  readonly name: string
  readonly transport: O1Transport["Service"]
  /** What gives its tokens, which others can have as well. */
  readonly credential: object | undefined
  readonly priority: number
  readonly weight: number
  readonly kind: MemberKind
  /** Where it is; one whose region is not known is nowhere else. */
  readonly region: string
  /** The host that its answers come from; `undefined` where it is not known. */
  readonly host: string | undefined
  /** As the program gave it. */
  readonly given: object
}

/** Provisioned members come before the others of their priority: what they do is paid for already. */
export const levelOf = ({ kind, priority }: Pick<Member, "kind" | "priority">): number =>
  2 * priority + (kind === "provisioned" ? 0 : 1)

/** What a member of a pool is called by. */
export interface Called {
  /** As the program calls it. */
  readonly name: string | undefined
  readonly deployment: string
  /** Absent where it is not known. */
  readonly host: string | undefined
}

const repeated = (names: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(names.filter((name, i) => names.indexOf(name) !== i))

/**
 * A name for each member, no two the same: its own, or its deployment, and where others have that too, the host or else the
 * place in the list. Throws a `RangeError` that says what is wrong with the names, or that there are none.
 */
export const namesOf = (where: string, members: ReadonlyArray<Called>): ReadonlyArray<string> => {
  if (members.length === 0) throw new RangeError(`${where}: members must not be empty`)
  const [twice] = repeated(members.flatMap(({ name }) => name ?? []))
  if (twice !== undefined) {
    throw new RangeError(`${where}: name must be another one for each member, got ${JSON.stringify(twice)} twice`)
  }
  const empty = members.findIndex(({ name }) => name === "")
  if (empty >= 0) throw new RangeError(`${where}: name of member ${empty + 1} must not be empty`)

  const told =
    (more: (member: Called, i: number) => string) => (names: ReadonlyArray<string>): ReadonlyArray<string> => {
      const taken = repeated(names)
      return names.map((name, i) => {
        const member = members[i]!
        return member.name === undefined && taken.has(name) ? more(member, i) : name
      })
    }
  const byHost = told(({ deployment, host }) => host === undefined ? deployment : `${deployment}@${host}`)
  const byPlace = told(({ deployment }, i) => `${deployment}#${i + 1}`)
  return byPlace(byHost(members.map(({ deployment, name }) => name ?? deployment)))
}
