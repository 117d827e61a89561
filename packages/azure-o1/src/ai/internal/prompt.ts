import type * as Prompt from "effect/ai/Prompt"
import { toolModelOutputToText } from "effect/ai/Prompt"
import * as Base64 from "effect/encoding/Base64"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { assistant, imagePart, type Message, type Part, textPart, toolResult, user } from "../../O1Request.ts"

type Converted<A> = Result.Result<A, string>

/** What the client can be given as the instructions of a conversation. */
export type SystemRole = "developer" | "system"

const dataUrl = (mediaType: string, base64: string): string => `data:${mediaType};base64,${base64}`

const urlOf = ({ data, mediaType }: Prompt.FilePart): string => {
  if (data instanceof URL) return data.href
  if (data instanceof Uint8Array) {
    return dataUrl(mediaType === "image/*" ? "image/jpeg" : mediaType, Base64.encode(data))
  }
  return /^(https?:|data:)/i.test(data) ? data : dataUrl(mediaType, data)
}

const details = ["auto", "low", "high"] as const

// untyped, as a declaration of the option would compile only for programs with exactOptionalPropertyTypes
const detailOf = ({ options: { azureO1 } }: Prompt.FilePart): typeof details[number] | undefined =>
  details.find((detail) => Predicate.hasProperty(azureO1, "imageDetail") && azureO1.imageDetail === detail)

const fileOf = (part: Prompt.FilePart): Converted<Part> =>
  part.mediaType.startsWith("image/")
    ? Result.succeed(imagePart(urlOf(part), detailOf(part)))
    : Result.fail(`A file of type ${JSON.stringify(part.mediaType)} cannot be sent: only images and PDF can.`)

const userOf = ({ content }: Prompt.UserMessage): Converted<Message> => {
  if (content.every((part) => part.type === "text")) {
    return Result.succeed(user(content.map(({ text }) => text).join("\n")))
  }
  const parts: Array<Part> = []
  for (const part of content) {
    const converted = part.type === "text" ? Result.succeed(textPart(part.text)) : fileOf(part)
    if (Result.isFailure(converted)) return Result.fail(converted.failure)
    parts.push(converted.success)
  }
  return Result.succeed(user(parts as [Part, ...Array<Part>])) // one of them is a file
}

const assistantOf = ({ content }: Prompt.AssistantMessage): ReadonlyArray<Message> => {
  const text = content.flatMap((part) => part.type === "text" ? [part.text] : []).join("")
  const toolCalls = content.flatMap((part) =>
    part.type === "tool-call" ? [{ id: part.id, name: part.name, arguments: JSON.stringify(part.params) }] : []
  )
  // a turn of approvals only, or of reasoning that the service does not ask for again
  if (text === "" && toolCalls.length === 0) return []
  return [assistant(text, toolCalls.length === 0 ? undefined : toolCalls)]
}

const outputOf = ({ modelOutput, result }: Prompt.ToolResultPart): string => {
  if (modelOutput !== undefined) return toolModelOutputToText(modelOutput)
  return typeof result === "string" ? result : JSON.stringify(result) ?? ""
}

const resultsOf = ({ content }: Prompt.ToolMessage): ReadonlyArray<Message> =>
  content.flatMap((part) => part.type === "tool-result" ? [toolResult(part.id, outputOf(part))] : [])

/** The messages of a prompt, or why they cannot be sent. */
export const messagesOf = (
  { content }: Prompt.Prompt,
  options: { readonly systemRole: SystemRole }
): Converted<ReadonlyArray<Message>> => {
  const messages: Array<Message> = []
  for (const message of content) {
    switch (message.role) {
      case "system":
        messages.push({ role: options.systemRole, content: message.content })
        break
      case "user": {
        const converted = userOf(message)
        if (Result.isFailure(converted)) return Result.fail(converted.failure)
        messages.push(converted.success)
        break
      }
      case "assistant":
        messages.push(...assistantOf(message))
        break
      case "tool":
        messages.push(...resultsOf(message))
        break
    }
  }
  return Result.succeed(messages)
}
