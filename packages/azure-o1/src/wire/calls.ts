import type { ToolCall } from "../O1Completion.ts"
import type { AttemptEvent } from "../O1Event.ts"
import * as json from "./json.ts"
import { Part } from "./part.ts"

/** A tool call that is being written. */
export interface OpenCall {
  readonly position: number
  id: string
  name: string
  readonly arguments: Part
}

/** Arguments are JSON in a string; some gateways send the object itself. */
export const argumentsIn = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : json.string(value) ?? ""

/** A piece of a call, as far as it tells. */
export interface CallPiece {
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly arguments: string
}

/** The tool calls of an answer, in the order in which they began. */
export class Calls {
  private readonly all: Array<OpenCall> = []
  /** By the index of Chat Completions: the calls that were opened there. */
  private readonly byIndex = new Map<number, Array<OpenCall>>()

  get list(): ReadonlyArray<ToolCall> {
    return this.all.map(({ arguments: args, id, name }) => ({ id, name, arguments: args.text }))
  }

  get isEmpty(): boolean {
    return this.all.length === 0
  }

  open(begun = true): OpenCall {
    const call = { position: this.all.length, id: "", name: "", arguments: new Part(begun) }
    this.all.push(call)
    return call
  }

  extend(call: OpenCall, { arguments: args, id, name }: CallPiece, events: Array<AttemptEvent>): void {
    call.id ||= id ?? ""
    call.name ||= name ?? ""
    if (args !== "") call.arguments.add(args)
    events.push({ _tag: "ToolCallDelta", index: call.position, id, name, arguments: args })
  }

  /** Pieces of a chunk of Chat Completions. */
  takePieces(pieces: ReadonlyArray<unknown>, events: Array<AttemptEvent>): void {
    pieces.forEach((raw, position) => {
      const index = json.at(raw, "index")
      const piece = pieceOf(raw)
      const number = typeof index === "string" && index.trim() !== "" ? Number(index) : json.number(index)
      const call = number === undefined || Number.isNaN(number)
        ? this.withoutIndex(piece, pieces.length > 1 ? position : undefined)
        : this.atIndex(number, piece)
      this.extend(call, piece, events)
    })
  }

  /** The calls of a message in one piece: so many, whatever they say of their index. Those of a stream come again at its end. */
  takeWhole(calls: ReadonlyArray<unknown>, events: Array<AttemptEvent>): void {
    const before = this.all.length
    calls.forEach((raw, position) => {
      const piece = pieceOf(raw)
      const known = position < before ? this.all[position] : undefined
      if (known === undefined) return this.extend(this.open(), piece, events)
      const rest = known.arguments.complete(piece.arguments)
      if (rest !== "") this.extend(known, { arguments: rest }, events)
    })
  }

  /** Where all calls have the same index, another id is another call. */
  private atIndex(index: number, piece: CallPiece): OpenCall {
    const there = this.byIndex.get(index) ?? []
    const known = withId(there, piece) ?? there.at(-1)
    if (known !== undefined && !begins(piece, known)) return known
    const call = this.open()
    this.byIndex.set(index, [...there, call])
    return call
  }

  private withoutIndex(piece: CallPiece, position: number | undefined): OpenCall {
    const last = this.all.at(-1)
    const inOrder = piece.name || position === undefined ? last : this.all[position] ?? last
    const known = withId(this.all, piece) ?? inOrder
    return known === undefined || begins(piece, known) ? this.open() : known
  }
}

const withId = (calls: ReadonlyArray<OpenCall>, piece: CallPiece): OpenCall | undefined =>
  piece.id ? calls.findLast(({ id }) => id === piece.id) : undefined

const pieceOf = (raw: unknown): CallPiece => ({
  id: json.string(json.at(raw, "id")),
  name: json.string(json.at(raw, "function", "name")),
  arguments: argumentsIn(json.at(raw, "function", "arguments"))
})

/** Whether a piece is the beginning of another call than this one: it has another id, or a name after arguments that are whole. */
const begins = ({ arguments: args, id, name }: CallPiece, call: OpenCall): boolean => {
  if (id && call.id !== "" && call.id !== id) return true
  return Boolean(name) && call.name !== "" && (name !== call.name || args !== "") &&
    json.parse(call.arguments.text) !== undefined
}
