import type { AnyStream } from "./establish.ts"
import type { PolicyInfo } from "./model.ts"
import type { Implementation } from "./policy.ts"
import type { AnyEffect } from "./primitive.ts"
import { RetryEffect } from "./retry.ts"
import type { Settings } from "./retryRun.ts"
import { retryStream } from "./retryStream.ts"

/** What a retry is. */
export class RetryPolicy implements Implementation {
  readonly info: PolicyInfo
  readonly settings: Settings

  constructor(info: PolicyInfo, settings: Settings) {
    this.info = info
    this.settings = settings
  }

  effect(self: AnyEffect): AnyEffect {
    return new RetryEffect(self, this.settings)
  }

  stream(self: AnyStream): AnyStream {
    return retryStream(self, this.settings, undefined)
  }
}
