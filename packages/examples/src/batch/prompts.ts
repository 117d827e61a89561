/** The input: one prompt in each line. A bad line is told with its number, and stops no other line. */
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"

export const Prompt = Schema.Struct({
  id: Schema.String,
  prompt: Schema.String,
  /** A digest of the prompt, by which an answer is known to be its answer. */
  digest: Schema.String
})

export type Prompt = typeof Prompt.Type

/** What the state of a prompt is kept under: another prompt with the same id has another one. */
export const keyOf = ({ digest, id }: Pick<Prompt, "digest" | "id">): string => `${id}#${digest}`

const digestOf = (prompt: string): string => createHash("sha256").update(prompt).digest("hex").slice(0, 12)

export interface Bad {
  /** From 1. */
  readonly line: number
  readonly problem: string
}

export interface Prompts {
  readonly prompts: ReadonlyArray<Prompt>
  readonly bad: ReadonlyArray<Bad>
}

/** The prompts of a file, and the lines that are none. `answered` has the digests of prompts that have their answer. */
const longest = 200

/** The fields of a line, or what is wrong with it. */
const parse = (line: string): Prompt | string => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return "not JSON"
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "not an object"
  const { id, prompt } = value as { readonly id?: unknown; readonly prompt?: unknown }
  if (typeof id !== "string" || id === "") return "\"id\" must be a text"
  if (id.length > longest) return `"id" has more than ${longest} characters`
  if (/\p{Surrogate}/u.test(id)) return "\"id\" is not well-formed Unicode"
  if (typeof prompt !== "string" || prompt.trim() === "") return "\"prompt\" must be a text"
  return { id, prompt, digest: digestOf(prompt) }
}

export const parsePrompts = (text: string, answered: ReadonlyMap<string, { readonly digest: string }>): Prompts => {
  const prompts: Array<Prompt> = []
  const bad: Array<Bad> = []
  const seen = new Map<string, number>()
  const lines = text.replace(/^\uFEFF/u, "").split("\n")
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue
    const parsed = parse(line)
    if (typeof parsed === "string") {
      bad.push({ line: i + 1, problem: parsed })
      continue
    }
    const id = JSON.stringify(parsed.id)
    const first = seen.get(parsed.id)
    const digest = answered.get(parsed.id)?.digest ?? parsed.digest
    if (first !== undefined) bad.push({ line: i + 1, problem: `the id ${id} is that of line ${first}` })
    else if (digest !== parsed.digest) bad.push({ line: i + 1, problem: `the output has ${id} with another prompt` })
    else {
      seen.set(parsed.id, i + 1)
      prompts.push(parsed)
    }
  }
  return { prompts, bad }
}
