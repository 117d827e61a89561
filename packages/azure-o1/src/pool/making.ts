import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import { O1Transport } from "../O1Transport.ts"
import { type Member, namesOf } from "./members.ts"
import type { PoolMember } from "./PoolMember.ts"

const hostOf = (member: PoolMember): string | undefined =>
  "endpoint" in member && URL.canParse(member.endpoint) ? new URL(member.endpoint).host : undefined

/** What may change of a member while its transport stays the same. */
const ofThePool: ReadonlySet<string> = new Set(["priority", "weight", "kind", "region", "name"])

/** Whether two members are one: by all that their transport is made of. */
const isSame = (one: object, other: object): boolean => {
  const parts = ([one, other] as ReadonlyArray<Record<string, unknown>>).map((member) =>
    Object.entries(member).filter(([key, value]) => !ofThePool.has(key) && value !== undefined)
  )
  const others = new Map(parts[1])
  return parts[0]!.length === others.size && parts[0]!.every(([key, value]) => others.get(key) === value)
}

const isPart = (value: number): boolean => Number.isFinite(value) && value > 0

const check = (where: string, { kind, priority, region, weight }: PoolMember, name: string): void => {
  const bad = (option: string, value: unknown, allowed: string) =>
    new RangeError(`${where}: ${option} of ${JSON.stringify(name)} must be ${allowed}, got ${JSON.stringify(value)}`)
  if (priority !== undefined && !(Number.isSafeInteger(priority) && priority >= 0)) {
    throw bad("priority", priority, "an integer, 0 or more")
  }
  if (weight !== undefined && !isPart(weight)) throw bad("weight", weight, "a number greater than 0")
  if (kind !== undefined && kind !== "provisioned" && kind !== "pay-as-you-go") {
    throw bad("kind", kind, "\"provisioned\" or \"pay-as-you-go\"")
  }
  if (region === "") throw bad("region", region, "a name")
}

/** Makes members of what a program says of them, with the `HttpClient` that there is now. A member that was there stays the same. */
export const membersFrom = Effect.map(Effect.context(), (context) => {
  const http = Context.getOrUndefined(context, HttpClient.HttpClient)
  return Effect.fnUntraced(
    function*(where: string, given: NonEmptyReadonlyArray<PoolMember>, before: ReadonlyArray<Member>) {
      const left = new Set(before)
      const known = given.map((member) => {
        const one = Array.from(left).find((one) => isSame(one.given, member))
        if (one !== undefined) left.delete(one)
        return one
      })
      const names = namesOf(
        where,
        given.map((member, i) => ({
          name: member.name ?? known[i]?.name,
          deployment: member.deployment,
          host: hostOf(member)
        }))
      )
      given.forEach((member, i) => check(where, member, names[i]!))
      return yield* Effect.forEach(given, (member, i): Effect.Effect<Member> => {
        const name = names[i]!
        const transport = known[i]?.transport
        const made = transport !== undefined
          ? Effect.succeed(transport)
          : "endpoint" in member
          ? transportOf(where, http, member, name)
          : Effect.succeed(member)
        return Effect.map(made, (transport) => ({
          name,
          transport,
          credential: "endpoint" in member ? member.credential : undefined,
          priority: member.priority ?? 0,
          weight: member.weight ?? 1,
          kind: member.kind ?? "pay-as-you-go",
          host: hostOf(member),
          region: member.region ?? hostOf(member) ?? name,
          given: member
        }))
      }).pipe(Effect.map((members) => members as ReadonlyArray<Member> as NonEmptyReadonlyArray<Member>))
    }
  )
})

const transportOf = (
  where: string,
  http: HttpClient.HttpClient | undefined,
  config: Extract<PoolMember, { readonly endpoint: string }>,
  name: string
): Effect.Effect<O1Transport["Service"]> =>
  http === undefined
    ? Effect.die(
      new RangeError(
        `${where}: ${JSON.stringify(name)} is a configuration, and the pool was made without an HttpClient`
      )
    )
    : Effect.provideService(O1Transport.make(config), HttpClient.HttpClient, http)
