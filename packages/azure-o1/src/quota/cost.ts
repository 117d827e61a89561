import type { O1Request } from "../O1Request.ts"
import { countRequestWith } from "../prompt/countRequest.ts"

/** What a request takes from each limit. */
export interface Cost {
  readonly requests: number
  readonly tokens: number
}

/** Azure's estimate counts characters: about four of them to the token. */
const charactersPerToken = 4

const nothing = (): number => 0

/** The prompt as Azure estimates it when it admits a request, in tokens: its characters, and what pictures and files are charged. */
export const estimateByCharacters = (request: O1Request): number => {
  const fixed = countRequestWith(request, nothing).total
  const characters = countRequestWith(request, (text) => text.length).total - fixed
  // the marks around messages are of the model's format, which no character stands for
  const marks = countRequestWith(
    { messages: request.messages.map((message) => ({ ...message, content: "" })) },
    nothing
  )
  return Math.ceil(characters / charactersPerToken) + fixed - marks.total
}

/** What Azure charges when it admits a request: the prompt, and the largest output that the request allows. */
export const costOf = (
  request: O1Request,
  { estimate, outputTokens }: { readonly estimate: (request: O1Request) => number; readonly outputTokens: number }
): Cost => ({ requests: 1, tokens: Math.ceil(estimate(request)) + (request.maxCompletionTokens ?? outputTokens) })

/** The limits of a minute, as far as they are known. */
export interface MinuteLimits {
  readonly requests: number | undefined
  readonly tokens: number | undefined
}

/** The share of a minute that a request takes, by the limit that it takes most of. */
export const shareOf = ({ requests, tokens }: Cost, limits: MinuteLimits): number =>
  Math.max(
    limits.requests === undefined ? 0 : requests / limits.requests,
    limits.tokens === undefined ? 0 : tokens / limits.tokens,
    // where nothing is known, requests count alike
    limits.requests === undefined && limits.tokens === undefined ? requests : 0
  )
