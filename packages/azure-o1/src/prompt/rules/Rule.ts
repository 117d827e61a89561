/** What every rule is given, and what it gives. */
import type { ModelProfile } from "../../ModelProfile.ts"
import type { O1Request } from "../../O1Request.ts"
import type { Count, RequestTokens } from "../countRequest.ts"
import type { Edit, LintOptions, RuleId, RuleSettings } from "../Finding.ts"
import type { Paragraphs, Passage } from "../paragraphs.ts"
import type { Range, Text } from "../texts.ts"

/** A finding without what the rule has for all of its findings. */
export interface Found {
  readonly message?: number
  readonly range?: Range
  readonly explanation: string
  readonly fix: string
  readonly edits?: ReadonlyArray<Edit>
  readonly tokensSaved?: number
}

export type Settings = { readonly [R in RuleId]: Required<{ [K in keyof RuleSettings[R]]: number }> }

interface Context {
  readonly request: O1Request
  readonly profile: ModelProfile
  readonly limits: Pick<LintOptions, "capacity" | "tokensPerMinute">
  readonly settings: Settings
  readonly count: Count
  readonly tokens: RequestTokens
  readonly passages: ReadonlyArray<Passage>
  readonly paragraphs: Paragraphs
}

export type Rule = (context: Context) => ReadonlyArray<Found>

/** A place in a passage as a place in its message. */
export const placed = (
  { message, offset }: Text,
  { end, start }: Range
): Required<Pick<Found, "message" | "range">> => ({
  message,
  range: { start: start + offset, end: end + offset }
})

export const replacing = (passage: Text, range: Range, text: string): Edit => {
  const { message, range: { end, start } } = placed(passage, range)
  return { _tag: "Replace", message, start, end, text }
}

/** Of those whose words are instructions. */
export const instructive = ({ role }: Text): boolean => role === "developer" || role === "system" || role === "user"
