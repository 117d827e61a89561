/**
 * Messages, and what they are made of, by their constructors.
 *
 * @since 0.1.0
 */
import * as Base64 from "effect/encoding/Base64"
import type { ToolCall } from "../O1Completion.ts"
import type {
  AssistantMessage,
  DeveloperMessage,
  FilePart,
  ImagePart,
  Message,
  SystemMessage,
  TextPart,
  ToolMessage,
  UserContent,
  UserMessage
} from "./Message.ts"

/**
 * @category constructors
 * @since 0.1.0
 */
export const developer = (content: string): DeveloperMessage => ({ role: "developer", content })

/**
 * @category constructors
 * @since 0.1.0
 */
export const system = (content: string): SystemMessage => ({ role: "system", content })

/**
 * A message of the user: text, or pieces of text, images and files.
 *
 * @category constructors
 * @since 0.1.0
 */
export const user = <C extends UserContent>(content: C): UserMessage<C> => ({ role: "user", content })

/**
 * An answer of the model, in your words. `Message.fromCompletion` makes one of a completion.
 *
 * @category constructors
 * @since 0.1.0
 */
export const assistant = (content: string, toolCalls?: ReadonlyArray<ToolCall>): AssistantMessage => ({
  role: "assistant",
  content,
  toolCalls
})

/**
 * The result of a tool call.
 *
 * @category constructors
 * @since 0.1.0
 */
export const toolResult = (toolCallId: string, content: string): ToolMessage => ({ role: "tool", toolCallId, content })

/**
 * A piece of text within a message.
 *
 * @category constructors
 * @since 0.1.0
 */
export const textPart = (text: string): TextPart => ({ type: "text", text })

/**
 * An image within a message, by its `https:` or `data:` URL.
 *
 * @category constructors
 * @since 0.1.0
 */
export const imagePart = (url: string, detail?: "auto" | "low" | "high"): ImagePart => ({ type: "image", url, detail })

/**
 * A PDF within a message: its bytes, or its `https:` or `data:` URL. Only the Responses API fetches from an `https:` URL.
 *
 * @category constructors
 * @since 0.1.0
 */
export const filePart = (content: string | Uint8Array, filename?: string): FilePart => ({
  type: "file",
  url: typeof content === "string" ? content : `data:application/pdf;base64,${Base64.encode(content)}`,
  filename
})

/**
 * The text of a message, images and files left out.
 *
 * @category getters
 * @since 0.1.0
 */
export const messageText = ({ content }: Message): string =>
  typeof content === "string" ? content : content.map((part) => part.type === "text" ? part.text : "").join("")
