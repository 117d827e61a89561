import { writeFileSync } from "node:fs"
import { availableParallelism, cpus } from "node:os"
import { type Arguments, parse } from "./arguments.ts"
import { callCases } from "./calls.ts"
import { checkCalls } from "./check.ts"
import { measureAll } from "./measure.ts"
import { weighAll } from "./memory.ts"
import { report } from "./report.ts"
import { checkStreams, streamCases } from "./streams.ts"
import { judge, type Results } from "./targets.ts"

const environment = {
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism()
}

const tell = (progress: string): void => console.error(`${progress} ...`)

const measure = async ({ memory, rounds }: Arguments): Promise<Results> => {
  tell("checking that all contenders do the same")
  await checkCalls()
  await checkStreams()
  return {
    rows: await measureAll([...await callCases(), ...streamCases()], rounds, tell),
    memory: memory ? await weighAll(rounds, tell) : undefined
  }
}

const main = async (args: Arguments): Promise<void> => {
  const { cores, cpu, node, platform } = environment
  const results = await measure(args)
  const targets = judge(results)
  console.log(`Node ${node}, ${platform}, ${cpu}, ${cores} cores; rounds: ${args.rounds}\n`)
  console.log(report(results, targets))
  if (args.json !== undefined) {
    writeFileSync(args.json, `${JSON.stringify({ environment, rounds: args.rounds, ...results, targets }, null, 2)}\n`)
  }
}

const readArguments = (): Arguments => {
  try {
    return parse(process.argv.slice(2))
  } catch (error) {
    console.error((error as Error).message)
    return process.exit(1)
  }
}

await main(readArguments())
