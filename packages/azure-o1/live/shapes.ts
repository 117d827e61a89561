// What an answer looks like, apart from what it says: the events it has, and the fields with the types of their values. Two
// services whose shapes are the same are told apart by no client.
import * as json from "../src/wire/json.ts"
import type { Recorded } from "./recorder.ts"

/** Fields whose value is a word of the protocol, and part of the shape. */
const words = new Set(["type", "status", "object", "finish_reason", "role", "phase", "code", "reason"])

const fieldsOf = (value: unknown, path: string, shapes: Set<string>): void => {
  if (Array.isArray(value)) {
    for (const item of value) fieldsOf(item, `${path}[]`, shapes)
  } else if (typeof value === "object" && value !== null) {
    for (const [name, field] of Object.entries(value)) {
      const at = `${path}.${name}`
      if (typeof field !== "object" || field === null) {
        const told = words.has(name) && typeof field === "string" ? JSON.stringify(field) : typeof field
        shapes.add(`${at}: ${field === null ? "null" : told}`)
      } else fieldsOf(field, at, shapes)
    }
  }
}

const dataOf = (body: string): ReadonlyArray<string> =>
  body.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim())

/** The request, in short. */
const questionOf = ({ asked, method, path }: Recorded): string =>
  [
    method,
    path.split("?")[0]!.replace(/^.*\/openai(\/v1)?(\/deployments\/[^/]+)?/, "").replace(/\/resp[_-][^/]+/, "/{id}"),
    ...json.at(asked, "background") === true ? ["background"] : [],
    ...json.at(asked, "stream") === true || /[?&]stream=true/.test(path) ? ["stream"] : []
  ].join(" ")

/** The shapes of one answer. */
const shapesOf = (recorded: Recorded): ReadonlySet<string> => {
  const { body, headers, status } = recorded
  const shapes = new Set<string>()
  const answer = `${questionOf(recorded)} -> ${status}`
  shapes.add(`${answer} ${(headers["content-type"] ?? "no type").split(";")[0]}`)
  const whole = json.parse(body)
  if (whole !== undefined) fieldsOf(whole, `${answer} `, shapes)
  for (const data of whole === undefined ? dataOf(body) : []) {
    if (data === "[DONE]") shapes.add(`${answer} [DONE]`)
    const event = json.parse(data)
    const type = json.string(json.at(event, "type")) ?? json.string(json.at(event, "object")) ?? "event"
    fieldsOf(event, `${answer} ${type} `, shapes)
  }
  return shapes
}

export interface Difference {
  readonly agreed: number
  /** Seen of the service alone. */
  readonly service: ReadonlyArray<string>
  /** Seen of the model of it alone. */
  readonly fake: ReadonlyArray<string>
}

const union = (log: ReadonlyArray<Recorded>): Set<string> => new Set(log.flatMap((one) => [...shapesOf(one)]))

/** In what the answers of the two differ. */
export const compare = (service: ReadonlyArray<Recorded>, fake: ReadonlyArray<Recorded>): Difference => {
  const [there, here] = [union(service), union(fake)]
  return {
    agreed: [...there].filter((shape) => here.has(shape)).length,
    service: [...there].filter((shape) => !here.has(shape)).toSorted(),
    fake: [...here].filter((shape) => !there.has(shape)).toSorted()
  }
}
