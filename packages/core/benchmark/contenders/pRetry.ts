import retry from "p-retry"
import { awaited } from "../contender.ts"
import type { Limits } from "../limits.ts"
import type { Table } from "../subjects.ts"

export const pRetry = ({ backoff }: Limits): Table => {
  const options = { retries: 3, factor: 2, minTimeout: backoff }
  return { "retry": awaited("pRetry", (f) => retry(() => f(), options)) }
}
