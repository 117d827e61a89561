import type { CallOptions } from "../../O1Client.ts"
import type { O1Request } from "../../O1Request.ts"
import type { SystemRole } from "./prompt.ts"

/**
 * What every turn asks besides its messages and tools, and how its call can differ from others.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings extends Omit<O1Request, "messages" | "tools" | "toolChoice" | "responseFormat"> {
  /** The limits of each call. A stream of parts cannot begin anew, so that nothing here asks for it. */
  readonly call?: Omit<CallOptions, "onBreak"> | undefined
  /**
   * Whether the arguments of tools must match their schemas exactly, where a tool does not say.
   *
   * @default true
   */
  readonly strictTools?: boolean | undefined
  /**
   * The role of what `effect/ai` calls the system's messages.
   *
   * @default "developer"
   */
  readonly systemRole?: SystemRole | undefined
}

/** What the inner settings leave out is as the outer ones have it. */
export const merged = (outer: Settings, inner: Settings): Settings => ({
  ...outer,
  ...inner,
  ...outer.call === undefined && inner.call === undefined ? {} : { call: { ...outer.call, ...inner.call } }
})
