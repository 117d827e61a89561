import * as Context from "effect/Context"
import type { O1Monitor } from "../O1Monitor.ts"

/**
 * The service `O1Monitor` by its key alone, for a policy that follows a monitor: a client without one does not carry what makes
 * it.
 */
export const MonitorKey = Context.Service<O1Monitor, O1Monitor["Service"]>("@effect-resilience/azure-o1/O1Monitor")
