import type { Message, O1Request, Part } from "../O1Request.ts"
import type { Edit, Finding } from "./Finding.ts"

type Replace = Extract<Edit, { readonly _tag: "Replace" }>

const isInsertion = ({ end, start }: Replace): boolean => start === end

/** The outermost of those that overlap, in the order of the text. */
const disjoint = (edits: ReadonlyArray<Replace>): ReadonlyArray<Replace> => {
  const chosen: Array<Replace> = []
  const order = (a: Replace, b: Replace): number =>
    a.start - b.start || Number(isInsertion(b)) - Number(isInsertion(a)) || b.end - a.end
  for (const edit of edits.toSorted(order)) {
    if (edit.start >= (chosen.at(-1)?.end ?? 0)) chosen.push(edit)
  }
  return chosen
}

const edited = (text: string, edits: ReadonlyArray<Replace>, offset: number): string => {
  const pieces: Array<string> = []
  let at = 0
  for (const { end, start, text: by } of edits) {
    pieces.push(text.slice(at, start - offset), by)
    at = end - offset
  }
  return pieces.join("") + text.slice(at)
}

/** A range is never of two parts, for every rule looks at one part at a time. */
const editedParts = (parts: ReadonlyArray<Part>, edits: ReadonlyArray<Replace>): ReadonlyArray<Part> => {
  let offset = 0
  return parts.map((part) => {
    if (part.type !== "text") return part
    const text = edited(
      part.text,
      edits.filter(({ end, start }) => start >= offset && end <= offset + part.text.length),
      offset
    )
    offset += part.text.length
    return { ...part, text }
  })
}

const editedMessage = (message: Message, edits: ReadonlyArray<Edit>): Message => {
  const replaced = disjoint(edits.filter((edit) => edit._tag === "Replace"))
  const role = edits.reduce<"developer" | "user" | undefined>(
    (role, edit) => edit._tag === "SetRole" && role !== "user" ? edit.role : role,
    undefined
  )
  if (message.role === "user" && typeof message.content !== "string") {
    return { ...message, content: editedParts(message.content, replaced) }
  }
  const content = edited(message.content as string, replaced, 0)
  return role === undefined ? { ...message, content } : { role, content }
}

/**
 * Makes the changes that need no author: of the findings that have edits. Everything else of the request stays as it is. If all
 * findings were given, looking again with the same options and the same counter finds no more edits to make.
 *
 * @category lint
 * @since 0.1.0
 */
export const applyFixes = (request: O1Request, findings: ReadonlyArray<Finding>): O1Request => {
  const edits = findings.flatMap(({ fix }) => fix.edits)
  if (edits.length === 0) return request
  const messages = request.messages.map((message, index) => {
    const own = edits.filter((edit) => "message" in edit && edit.message === index)
    return own.length === 0 ? message : editedMessage(message, own)
  })
  const inserted = edits.flatMap((edit) => edit._tag === "Insert" ? [edit.message] : [])
  const fixed: Record<string, unknown> = { ...request, messages: [...inserted, ...messages] }
  for (const edit of edits) {
    if (edit._tag === "Set") {
      if (edit.value === undefined) delete fixed[edit.field]
      else fixed[edit.field] = edit.value
    } else if (edit._tag === "RemoveExtra") {
      const extra = Object.entries(fixed["extra"] ?? {})
      fixed["extra"] = Object.fromEntries(extra.filter(([name]) => name !== edit.field))
    }
  }
  // rules set only fields that a request has
  return fixed as unknown as O1Request
}
