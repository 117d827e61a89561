import { Carrying } from "../../internal/criticality.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

/** It has nothing to do when the call ends, so it has no frame. */
export const criticality: SimulatedPolicy = ofClass(Carrying, (carrying) => (inner) => ({
  open: (outer, call) => inner.open(outer, { priority: call.priority, criticality: carrying.of(call.criticality) })
}))
