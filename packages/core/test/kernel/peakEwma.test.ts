import { assert, describe, it } from "@effect/vitest"
import { PeakEwma } from "../../src/kernel/peakEwma.ts"

/**
 * The arithmetic of Finagle's `PeakEwma`, finagle-core/src/main/scala/com/twitter/finagle/loadbalancer/PeakEwma.scala: a
 * measurement above the cost replaces it; any other one is averaged by `e^(-t/decay)`, where t is the time since the last one.
 */
describe("kernel/peakEwma", () => {
  const near = (actual: number, expected: number) => assert.approximately(actual, expected, 1e-9)

  it("takes a peak as it is, and comes down by time", () => {
    const latency = new PeakEwma(10)
    assert.deepStrictEqual([latency.known, latency.at(5)], [false, 0])
    latency.add(100, 0)
    near(latency.at(0), 100)
    near(latency.at(10), 100 / Math.E)
    latency.add(50, 10)
    near(latency.at(10), 100 / Math.E + 50 * (1 - 1 / Math.E))
    latency.add(500, 11)
    near(latency.at(11), 500)
    // no time has gone by: it is as it was
    latency.add(1, 11)
    near(latency.at(11), 500)
    near(latency.at(1000), 500 * Math.exp(-98.9))
  })

  it("what a silence shows can only raise it", () => {
    const latency = new PeakEwma(10)
    latency.add(100, 0)
    latency.atLeast(20, 0)
    near(latency.at(0), 100)
    latency.atLeast(300, 0)
    near(latency.at(0), 300)
    // the old peak is forgotten by then
    latency.atLeast(20, 100)
    assert.approximately(latency.at(100), 20, 0.1)
  })

  it("a clock that stands still, or goes back, breaks nothing", () => {
    const latency = new PeakEwma(10)
    latency.add(100, 50)
    const back = latency.at(40)
    latency.add(10, 40)
    assert.deepStrictEqual([back, latency.at(40)], [100, 100])
  })
})
