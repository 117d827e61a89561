import { adaptiveLimit } from "./adaptiveLimit.ts"
import { adaptiveThrottle } from "./adaptiveThrottle.ts"
import { bulkhead } from "./bulkhead.ts"
import { chaos } from "./chaos.ts"
import { circuitBreaker } from "./circuitBreaker.ts"
import { criticality } from "./criticality.ts"
import { hedge } from "./hedge.ts"
import type { SimulatedPolicy } from "./policy.ts"
import { rateLimiter } from "./rateLimiter.ts"
import { retry } from "./retry.ts"
import { timeout } from "./timeout.ts"
import { timeoutAdaptive } from "./timeoutAdaptive.ts"

/** The policies that a simulation knows. */
export const simulated: ReadonlyArray<SimulatedPolicy> = [
  timeout,
  timeoutAdaptive,
  retry,
  circuitBreaker,
  bulkhead,
  adaptiveLimit,
  adaptiveThrottle,
  rateLimiter,
  hedge,
  criticality,
  chaos
]
