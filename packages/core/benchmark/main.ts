import { writeFileSync } from "node:fs"
import { availableParallelism, cpus } from "node:os"
import { type Arguments, help, parse } from "./arguments.ts"
import { measurePublicPath, publicPathOnly } from "./bothPaths.ts"
import { callCases } from "./calls.ts"
import { checkCalls } from "./check.ts"
import { checkEndpoints, endpointCases } from "./endpoints.ts"
import { growAll } from "./growth.ts"
import { checkHttp, httpCases } from "./http.ts"
import { measureAll } from "./measure.ts"
import { weighAll } from "./memory.ts"
import { writePage } from "./page.ts"
import { type Judged, tables, verdict } from "./report.ts"
import { checkStreams, streamCases } from "./streams.ts"
import { markdown, plain, wrap } from "./table.ts"
import { judge, type Results } from "./targets.ts"
import { checkTelemetry, telemetryCases } from "./telemetry.ts"

const environment = {
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism()
}

const tell = (progress: string): void => console.error(`${progress} ...`)

const measure = async ({ parts, ...plan }: Arguments): Promise<Results> => {
  tell("checking that all contenders do the same")
  await checkCalls()
  await checkStreams()
  await checkHttp()
  await checkTelemetry()
  const cases = [...await callCases(), ...telemetryCases(), ...httpCases(), ...streamCases()]
  const rows = await measureAll(cases.filter(({ group }) => parts.includes(group)), plan, tell)
  const lines = parts.includes("growth") ? await growAll(plan, tell) : undefined
  const memory = parts.includes("memory") ? await weighAll(plan, tell) : undefined
  if (!parts.includes("endpoints")) return { rows, lines, memory }
  await checkEndpoints()
  return { rows: [...rows, ...await measureAll(endpointCases(), plan, tell)], lines, memory }
}

const judged = (results: Results): Judged => ({ ...results, targets: judge(results) })

const main = async (args: Arguments): Promise<void> => {
  const { cores, cpu, node, platform } = environment
  const ours = judged(await measure(args))
  if (args.bothPaths) tell("once more, with the public API of Effect only")
  const publicPath = args.bothPaths ? judged(await measurePublicPath(args)) : undefined
  const report = tables(ours, publicPath)
  const machine = `Node ${node}, ${platform}, ${cpu}, ${cores} cores; rounds: ${args.rounds}`
  const head = [
    machine,
    ...publicPathOnly ? ["with the public API of Effect only"] : [],
    ...args.quick ? ["quick: the figures say little"] : []
  ].join(", ")
  // a pipe has no width
  const columns = Math.max(process.stdout.columns || 80, 40)
  console.log([wrap(head, columns), ...report.map((table) => plain(table, columns))].join("\n\n"))
  if (args.json !== undefined) {
    const { quick, rounds } = args
    writeFileSync(args.json, `${JSON.stringify({ environment, rounds, quick, ...ours, publicPath }, null, 2)}\n`)
  }
  if (args.markdown !== undefined) writePage(args.markdown, [`${head}.`, ...report.map(markdown)].join("\n\n"))
  console.log(`\nbench: ${verdict(ours)}${args.quick ? "; quick figures say little" : ""}`)
}

const readArguments = (): Arguments => {
  try {
    return parse(process.argv.slice(2))
  } catch (error) {
    console.error((error as Error).message)
    return process.exit(1)
  }
}

if (process.argv.includes("--help") || process.argv.includes("-h")) console.log(help)
else await main(readArguments())
