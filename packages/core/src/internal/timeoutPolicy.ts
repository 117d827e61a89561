import type { AnyStream } from "./establish.ts"
import type { PolicyInfo } from "./model.ts"
import type { Implementation } from "./policy.ts"
import type { AnyEffect } from "./primitive.ts"
import { type Settings, TimeoutEffect } from "./timeout.ts"
import { timeoutStream } from "./timeoutStream.ts"

/** What a timeout is. */
export class TimeoutPolicy implements Implementation {
  readonly info: PolicyInfo
  readonly settings: Settings

  constructor(info: PolicyInfo, settings: Settings) {
    this.info = info
    this.settings = settings
  }

  effect(self: AnyEffect): AnyEffect {
    return new TimeoutEffect(self, this.settings)
  }

  stream(self: AnyStream): AnyStream {
    return timeoutStream(self, this.settings)
  }
}
