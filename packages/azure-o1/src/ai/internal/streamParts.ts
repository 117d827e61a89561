import type * as Response from "effect/ai/Response"
import type { O1Completion, ToolCall } from "../../O1Completion.ts"
import type { O1Event, ToolCallDelta } from "../../O1Event.ts"
import { commentaryMetadata, endOf, plain, type ReadCall, returnedOf } from "./parts.ts"

type Part = Response.StreamPartEncoded

/** What a block of text is. */
type Kind = "text" | "reasoning" | "commentary" | "refusal"

const startOf = {
  text: { type: "text-start" },
  reasoning: { type: "reasoning-start" },
  commentary: { type: "reasoning-start", metadata: commentaryMetadata },
  refusal: { type: "text-start", metadata: { azureO1: { refusal: true } } }
} as const

const typeOf = { text: "text", reasoning: "reasoning", commentary: "reasoning", refusal: "text" } as const

const kindOf = {
  TextDelta: "text",
  ReasoningDelta: "reasoning",
  CommentaryDelta: "commentary",
  RefusalDelta: "refusal"
} as const

/** The arguments of one tool call as they arrive. */
interface Params {
  id: string
  name: string
  /** The text of each so far. */
  text: string
  /** What came before it was known whose they are. */
  waiting: string
  started: boolean
}

/** Events in, parts out: blocks of text with a beginning and an end, and tool calls when the answer is complete. */
export class StreamParts {
  private blocks = 0
  private open: Kind | undefined = undefined
  private readonly params = new Map<number, Params>()

  /** What an event adds. */
  take(event: O1Event): ReadonlyArray<Part> {
    switch (event._tag) {
      case "TextDelta":
      case "ReasoningDelta":
      case "CommentaryDelta":
      case "RefusalDelta":
        return this.say(kindOf[event._tag], event.text)
      case "ToolCallDelta":
        return this.extend(event)
      case "Accepted":
        return [{
          type: "response-metadata",
          id: event.resume.responseId,
          metadata: { azureO1: { resume: plain(event.resume) } }
        }]
      default:
        return []
    }
  }

  /** The end of the answer. */
  finish(completion: O1Completion, calls: ReadonlyArray<ReadCall>): ReadonlyArray<Part> {
    return [
      ...this.endWith(returnedOf(completion)),
      ...completion.toolCalls.flatMap((call, i) => this.settle(i, call, calls[i]!.id)),
      ...endOf(completion, calls)
    ]
  }

  /** Closes what is open; what is to come back stands at a block of reasoning, if need be at an empty one. */
  private endWith(metadata: Response.ReasoningEndPartMetadata | undefined): ReadonlyArray<Part> {
    if (metadata === undefined) return this.close()
    const before = this.open === "reasoning" ? [] : [...this.close(), this.begin("reasoning")]
    this.open = undefined
    return [...before, { type: "reasoning-end", id: this.block, metadata }]
  }

  private say(kind: Kind, delta: string): ReadonlyArray<Part> {
    const before = this.open === kind ? [] : [...this.close(), this.begin(kind)]
    return [...before, { type: `${typeOf[kind]}-delta`, id: this.block, delta }]
  }

  private begin(kind: Kind): Part {
    this.open = kind
    this.blocks++
    return { ...startOf[kind], id: this.block }
  }

  private close(): ReadonlyArray<Part> {
    const { open } = this
    this.open = undefined
    return open === undefined ? [] : [{ type: `${typeOf[open]}-end`, id: this.block }]
  }

  private get block(): string {
    return String(this.blocks)
  }

  private extend({ arguments: piece, id, index, name }: ToolCallDelta): ReadonlyArray<Part> {
    const params = this.params.get(index) ?? nothing()
    this.params.set(index, params)
    params.id ||= id ?? ""
    params.name ||= name ?? ""
    params.waiting += piece
    return params.id === "" || params.name === "" ? [] : this.flush(params)
  }

  private flush(params: Params): ReadonlyArray<Part> {
    const { id, name, started, waiting } = params
    params.started = true
    params.text += waiting
    params.waiting = ""
    return [
      ...started ? [] : [{ type: "tool-params-start", id, name } as const],
      ...waiting === "" ? [] : [{ type: "tool-params-delta", id, delta: waiting } as const]
    ]
  }

  /** A call is complete: what has not been said of its arguments is said now. */
  private settle(index: number, call: ToolCall, id: string): ReadonlyArray<Part> {
    const params = this.taken(index, call)
    params.id ||= id
    params.name ||= call.name
    const said = params.text + params.waiting
    if (call.arguments.startsWith(said)) params.waiting += call.arguments.slice(said.length)
    return [...this.flush(params), { type: "tool-params-end", id: params.id }]
  }

  /** The part of a call that has arrived: where it has an id by that, for the calls of an answer need not be in the order of its pieces. */
  private taken(index: number, { id }: ToolCall): Params {
    const [key, params] = Array.from(this.params).find(([, known]) => id !== "" && known.id === id) ??
      [index, this.params.get(index) ?? nothing()]
    if (id !== "" && params.id !== "" && params.id !== id) return nothing()
    this.params.delete(key)
    return params
  }
}

const nothing = (): Params => ({ id: "", name: "", text: "", waiting: "", started: false })
