import { retirements } from "./facts.ts"
import {
  deepResearch,
  gpt5,
  gpt51,
  gpt54,
  gpt5Chat,
  gpt5Codex,
  gpt5Pro,
  gpt6,
  known,
  o1,
  o1Mini,
  o1Preview,
  o1Pro,
  o3,
  o3Mini,
  o3Pro,
  o4Mini
} from "./known.ts"
import type { ModelProfile, Retirement } from "./model.ts"

/** By the name of the model, the first that matches: what a name ends in says more than the number in it. */
const kinds: ReadonlyArray<readonly [pattern: RegExp, profile: ModelProfile]> = [
  [/^(?:o\d+|gpt-\d).*-deep-research\b/, deepResearch],
  [/^(?:gpt-\d.*-)?codex\b/, gpt5Codex],
  [/^o1-mini\b/, o1Mini],
  [/^o1-preview\b/, o1Preview],
  [/^o1-pro\b/, o1Pro],
  [/^o1(?:-|$)/, o1],
  [/^o\d+-pro\b/, o3Pro],
  [/^o3-mini\b/, o3Mini],
  [/^o3(?:-|$)/, o3],
  [/^o[4-9](?:-|$)/, o4Mini],
  [/^gpt-(?:[5-9]|[12]\d)(?:\.\d+)?(?:-\w+)*?-pro\b/, gpt5Pro],
  [/^gpt-5-chat\b/, gpt5Chat],
  [/^gpt-5(?:-|$)/, gpt5],
  [/^gpt-5\.[1-3](?:-|$)/, gpt51],
  [/^gpt-5\.\d+(?:-|$)/, gpt54],
  [/^gpt-(?:[6-9]|[12]\d)(?:\.\d+)?(?:-|$)/, gpt6]
]

/**
 * The profile of a model by the name that the service gives it, for example `o3-mini-2025-01-31`. A successor that is not known
 * here has the profile of the newest one of its kind; `undefined` is a model of another family.
 *
 * @category getters
 * @since 0.1.0
 */
export const forModel = (model: string): ModelProfile | undefined => {
  const name = model.toLowerCase()
  return kinds.find(([pattern]) => pattern.test(name))?.[1]
}

/** A prefix counts only up to a boundary, so that `o1` is not `o1x`. */
const begins = ({ models }: ModelProfile, model: string): boolean =>
  models.some((prefix) => model === prefix || model.startsWith(prefix.endsWith(".") ? prefix : `${prefix}-`))

/**
 * Whether a model that answered is of this profile. One that is of another known profile is not, even if its name begins the
 * same; of a model that nobody knows, nobody can say.
 *
 * @category guards
 * @since 0.1.0
 */
export const serves = (profile: ModelProfile, model: string): boolean => {
  if (model === "" || profile.models.length === 0) return true
  const found = forModel(model)
  return found?.name === profile.name || (begins(profile, model) && (found === undefined || !isKnown(profile)))
}

const isKnown = (profile: ModelProfile): boolean => known.some(({ name }) => name === profile.name)

/**
 * When a model is to be retired, as Microsoft's page said on the day in `told`.
 *
 * @category getters
 * @since 0.1.0
 */
export const retirementOf = (model: string): Retirement | undefined => {
  const name = model.toLowerCase().replace(/-\d{4}-?\d{2}-?\d{2}$/, "")
  return new Map<string, Retirement>(Object.entries(retirements)).get(name)
}
