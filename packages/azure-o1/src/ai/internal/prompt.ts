import type * as Prompt from "effect/ai/Prompt"
import { toolModelOutputToText } from "effect/ai/Prompt"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import {
  type AssistantMessage,
  filePart,
  imagePart,
  type Message,
  type OutputItem,
  type Part,
  textPart,
  toolResult,
  user
} from "../../O1Request.ts"
import * as json from "../../wire/json.ts"

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

// untyped, as declarations of the options would compile only for programs with exactOptionalPropertyTypes
const optionOf = ({ options }: Prompt.Part, name: string): unknown => json.at(options, "azureO1", name)

const details = ["auto", "low", "high"] as const

/** What the service called a file when it was uploaded; base64 has no such beginning. */
const isUpload = (data: Prompt.FilePart["data"]): data is string =>
  typeof data === "string" && /^(file|assistant)-/.test(data)

const fileOf = (part: Prompt.FilePart): Converted<Part> => {
  const { data, fileName, mediaType } = part
  if (mediaType.startsWith("image/") && !isUpload(data)) {
    return Result.succeed(imagePart(urlOf(part), details.find((detail) => detail === optionOf(part, "imageDetail"))))
  }
  if (isUpload(data)) return Result.succeed({ type: "file", id: data, filename: fileName })
  return mediaType === "application/pdf"
    ? Result.succeed(filePart(urlOf(part), fileName))
    : Result.fail(`A file of type ${JSON.stringify(mediaType)} cannot be sent: images and PDF can.`)
}

const userOf = ({ content }: Prompt.UserMessage): Converted<Message> => {
  const [first] = content
  if (content.length < 2 && first?.type !== "file") return Result.succeed(user(first?.text ?? ""))
  const parts: Array<Part> = []
  for (const part of content) {
    const converted = part.type === "text" ? Result.succeed(textPart(part.text)) : fileOf(part)
    if (Result.isFailure(converted)) return Result.fail(converted.failure)
    parts.push(converted.success)
  }
  return Result.succeed(user(parts))
}

const isRefusal = (part: Prompt.TextPart): boolean => optionOf(part, "refusal") === true

const isItem = (item: unknown): item is OutputItem => typeof item === "object" && item !== null && !Array.isArray(item)

const textOf = (parts: ReadonlyArray<Prompt.TextPart>): string => parts.map(({ text }) => text).join("")

const assistantOf = ({ content }: Prompt.AssistantMessage): ReadonlyArray<Message> => {
  const texts = content.filter((part) => part.type === "text")
  const refusal = textOf(texts.filter(isRefusal))
  const toolCalls = content.flatMap((part) =>
    part.type === "tool-call" && !part.providerExecuted
      ? [{ id: part.id, name: part.name, arguments: JSON.stringify(part.params) ?? "{}" }]
      : []
  )
  const items = content.flatMap((part) =>
    part.type === "reasoning" ? json.array(optionOf(part, "items")).filter(isItem) : []
  )
  const message: AssistantMessage = {
    role: "assistant",
    content: textOf(texts.filter((part) => !isRefusal(part))),
    ...toolCalls.length === 0 ? {} : { toolCalls },
    ...refusal === "" ? {} : { refusal },
    ...items.length === 0 ? {} : { items }
  }
  // a turn of nothing but approvals, or of a summary of reasoning, has nothing that the service asks for again
  return message.content === "" && Object.keys(message).length === 2 ? [] : [message]
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
