import type { Act } from "./Act.ts"
import { badDay } from "./badDay.ts"
import { brokenStream } from "./brokenStream.ts"
import { circuit } from "./circuit.ts"
import { failover } from "./failover.ts"

/** The acts in their order: `--act 1` is the first. */
export const acts: ReadonlyArray<Act> = [badDay, brokenStream, circuit, failover]
