import { describe } from "vitest"
import { absent, available } from "./server.ts"

/** `describe` for tests that need `redis-server`: where it is absent they are skipped, and it says why. */
export const describeWithRedis = (name: string, tests: () => void): void => {
  if (!available) console.warn(`skipped, because ${absent}: ${name}`)
  describe.skipIf(!available)(available ? name : `${name} (${absent})`, () => {
    tests()
  })
}
