/** What the reasoning models on Azure take, by the name of the model. */
export interface FakeModel {
  readonly chat: boolean
  readonly responses: boolean
  /** Whether there are instructions at all: the roles `developer` and `system`. */
  readonly instructions: boolean
  /** The values of the reasoning effort; none: the parameter is not known. */
  readonly efforts: ReadonlyArray<string>
  readonly tools: boolean
  readonly parallelTools: boolean
  readonly images: boolean
  readonly summary: boolean
  /** Whether it takes `temperature` and its like as long as it does not reason. */
  readonly sampling: boolean
  /** Whether it reasons if it is not told how much. */
  readonly reasons: boolean
  /** Whether Chat Completions takes functions beside reasoning. */
  readonly chatTools: boolean
}

const base: FakeModel = {
  chat: true,
  responses: true,
  instructions: true,
  efforts: ["low", "medium", "high"],
  tools: true,
  parallelTools: false,
  images: true,
  summary: true,
  sampling: false,
  reasons: true,
  chatTools: true
}

const gpt5: FakeModel = {
  ...base,
  efforts: ["none", "minimal", "low", "medium", "high", "xhigh"],
  parallelTools: true
}

const families: ReadonlyArray<readonly [RegExp, FakeModel]> = [
  [/^o1-(mini|preview)/, {
    ...base,
    responses: false,
    instructions: false,
    efforts: [],
    tools: false,
    images: false,
    summary: false
  }],
  [/^o1-pro/, { ...base, chat: false, summary: false }],
  [/^o1/, { ...base, summary: false }],
  [/^o3-mini/, { ...base, images: false, summary: false }],
  [/^o3-pro/, { ...base, chat: false, summary: false }],
  [/^(?:gpt-\d.*-)?codex/, { ...gpt5, chat: false }],
  [/^gpt-\d.*-pro/, { ...gpt5, chat: false }],
  [/^gpt-5\.[1-3]/, { ...gpt5, sampling: true, reasons: false }],
  [/^gpt-5\.4/, { ...gpt5, sampling: true, reasons: false, chatTools: false }],
  [/^gpt-5\.\d/, { ...gpt5, sampling: true, chatTools: false }],
  [/^gpt-6/, { ...gpt5, chatTools: false }],
  [/^gpt-5/, gpt5]
]

/** A name that is not known is that of a model that takes everything. */
export const modelOf = (name: string): FakeModel =>
  families.find(([pattern]) => pattern.test(name))?.[1] ?? (/^o\d/.test(name) ? base : gpt5)

const listed = ["o1-2024-12-17", "o3-mini-2025-01-31", "o3-2025-04-16", "o4-mini-2025-04-16", "gpt-5-2025-08-07"]

/** The base models of a resource: not its deployments, which the data plane does not list. */
export const list = (model: string): unknown => ({
  object: "list",
  data: [...new Set([model, ...listed])].map((id) => ({
    id,
    object: "model",
    created_at: 1_700_000_000,
    status: "succeeded",
    lifecycle_status: "generally-available",
    capabilities: { fine_tune: false, inference: true, completion: false, chat_completion: true, embeddings: false }
  }))
})
