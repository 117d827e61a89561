/**
 * The facts about the models, each with its source and the day on which it was read. Everything that goes out of date is here.
 *
 * A profile forbids only what one of these says; what they do not say is left to the service.
 */

/** Where a fact is from, and the day of the page or release that was read. */
const sources = {
  reasoning: { page: "learn.microsoft.com: Azure OpenAI reasoning models", day: "2026-02-10" },
  quotas: { page: "learn.microsoft.com: Azure OpenAI quotas and limits", day: "2026-02-10" },
  retirement: { page: "learn.microsoft.com: model retirement schedule", day: "2026-09-02" },
  /** `temperature`, `top_p` and `logprobs` of gpt-5.1 to gpt-5.5 with the effort `none`. */
  sampling: { page: "developers.openai.com: parameter compatibility of GPT-5.1; vercel/ai#10932", day: "2025-12-08" },
  /** gpt-5.4 and later: Chat Completions takes functions with the effort `none` only. */
  chatTools: { page: "openai/openai-openapi#541, BerriAI/litellm#34569", day: "2026-07-24" },
  /** The efforts and the sampling of gpt-6. */
  gpt6: { page: "@ai-sdk/openai 4.0.81, openai 7.57.0", day: "2026-11-13" }
} as const

/** `reasoning`. */
export const oSeries = {
  background: true,
  roles: ["developer", "system", "user", "assistant", "tool"],
  efforts: ["low", "medium", "high"],
  reasons: true,
  tools: true,
  chatTools: "always",
  parallelToolCalls: false,
  structuredOutput: true,
  images: true,
  files: true,
  reasoningSummary: false,
  encryptedReasoning: false,
  verbosity: false,
  sampling: "never",
  contextTokens: 200_000,
  outputTokens: 100_000
} as const

/** `reasoning`: the models before o1 was complete. */
export const early = {
  ...oSeries,
  apis: ["chat"],
  streaming: "no",
  background: false,
  roles: ["user", "assistant"],
  efforts: [],
  tools: false,
  structuredOutput: false,
  images: false,
  files: false,
  contextTokens: 128_000
} as const

/** `reasoning`. */
export const gpt5Series = {
  ...oSeries,
  apis: ["chat", "responses"],
  streaming: "yes",
  parallelToolCalls: true,
  reasoningSummary: true,
  encryptedReasoning: true,
  verbosity: true,
  contextTokens: 272_000,
  outputTokens: 128_000
} as const

/** `quotas`: what one unit of capacity allows in a minute. */
export const units = {
  o1: { requests: 1, tokens: 6000 },
  o3: { requests: 1, tokens: 1000 },
  small: { requests: 1, tokens: 10_000 }
} as const

const retired = <D extends string, R extends string | undefined>(date: D, replacement: R) =>
  ({ date, replacement, told: sources.retirement.day }) as const

/** `retirement`. Azure has moved these days before, and retires region by region. */
export const retirements = {
  "o1": retired("2026-10-21", "gpt-5.6-sol"),
  "o1-preview": retired("2025-07-28", undefined),
  "o1-pro": retired("2026-10-21", "gpt-5.6-sol"),
  "o3": retired("2026-10-21", "gpt-5.6-sol"),
  "o3-mini": retired("2026-10-01", "o4-mini"),
  "o3-pro": retired("2026-12-17", undefined),
  "o4-mini": retired("2026-10-16", undefined),
  "gpt-5": retired("2027-02-09", undefined),
  "gpt-5-mini": retired("2027-02-09", undefined),
  "gpt-5-nano": retired("2027-02-09", undefined),
  "gpt-5.1": retired("2027-05-15", undefined),
  "gpt-5.4": retired("2027-09-02", undefined),
  "gpt-5.5": retired("2027-10-26", undefined),
  "gpt-5.6-sol": retired("2028-01-11", undefined),
  "gpt-5.6-terra": retired("2028-01-11", undefined),
  "gpt-5.6-luna": retired("2028-01-11", undefined)
} as const
