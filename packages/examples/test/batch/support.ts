import { FakeAzure, type FakeAzureOptions } from "@effect-resilience/azure-o1/testing"
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

interface Ran {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A folder with prompts, the deployment that they are put to, and what came of it. */
export interface Bench {
  readonly folder: string
  readonly file: (name: string) => string
  readonly ids: ReadonlyArray<string>
  readonly azure: FakeAzure["Service"]
  /** Runs the program to its end; `started` may do something to it. */
  readonly run: (args?: ReadonlyArray<string>, options?: {
    readonly kills?: ReadonlyArray<string>
    readonly env?: Record<string, string>
    readonly started?: (child: ChildProcess) => void
  }) => Effect.Effect<Ran>
  /** The process that is or was at work on a prompt, if there is one. */
  readonly pidsOf: (id: string) => ReadonlyArray<number>
  readonly output: () => string
  /** Checks that each prompt has its answer, once. */
  readonly expectAnswers: () => void
  /** The requests for an answer so far. */
  readonly posts: Effect.Effect<number>
}

const program = fileURLToPath(new URL("killing.ts", import.meta.url))

/** A generator with a seed: the sequences of a failure can be played again. */
export const random = (seed: number) => () => {
  seed = seed + 0x6d2b79f5 | 0
  let t = Math.imul(seed ^ seed >>> 15, 1 | seed)
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
  return ((t ^ t >>> 14) >>> 0) / 4294967296
}

/** The id of the prompt in a request. */
export const idIn = (body: unknown): string => /<(\S+)>/u.exec(JSON.stringify(body))?.[1] ?? ""

export const bench = (
  { prompts = 6, ...options }: FakeAzureOptions & { readonly prompts?: number } = {}
): Effect.Effect<Bench, never, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "batch-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const file = (name: string): string => join(folder, name)
    const ids = Array.from({ length: prompts }, (_, i) => `p${i + 1}`)
    writeFileSync(
      file("prompts.jsonl"),
      ids.map((id) => `${JSON.stringify({ id, prompt: `Repeat <${id}>.` })}\n`).join("")
    )
    const services = yield* Layer.build(FakeAzure.layer({
      streams: false,
      reply: (body) => FakeAzure.answer(`This is ${idIn(body)}.`),
      ...options
    }))
    const azure = Context.get(services, FakeAzure)
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("AZURE_OPENAI_") && !name.startsWith("npm_"))
    )
    const output = (): string => readFileSync(file("answers.jsonl"), "utf8")
    return {
      folder,
      file,
      ids,
      azure,
      output,
      pidsOf: (id) => {
        const pid = existsSync(file(`${id}.pid`)) ? Number(readFileSync(file(`${id}.pid`), "utf8")) : 0
        return pid > 0 ? [pid] : []
      },
      run: (args = [file("prompts.jsonl"), file("answers.jsonl")], { env = {}, kills = [], started } = {}) =>
        Effect.callback<Ran>((resume) => {
          const child = spawn(process.execPath, [program, ...args], {
            env: {
              ...inherited,
              AZURE_OPENAI_ENDPOINT: azure.url,
              AZURE_OPENAI_API_KEY: "fake-key",
              AZURE_OPENAI_DEPLOYMENT: options.deployment ?? "o1",
              AZURE_OPENAI_POLL_INTERVAL: "100 millis",
              PIDS: folder,
              KILLS: kills.join("\n"),
              // half of the time of a short process goes into compiling
              NODE_COMPILE_CACHE: join(tmpdir(), "effect-resilience-compiled"),
              ...env
            },
            stdio: ["ignore", "pipe", "pipe"]
          })
          let stdout = ""
          let stderr = ""
          child.stdout.setEncoding("utf8").on("data", (text) => stdout += text)
          child.stderr.setEncoding("utf8").on("data", (text) => stderr += text)
          child.on("close", (code, signal) => resume(Effect.succeed({ code, signal, stdout, stderr })))
          started?.(child)
          return Effect.sync(() => child.kill("SIGKILL"))
        }),
      expectAnswers: () => {
        const lines = output().trimEnd().split("\n").map((line) => JSON.parse(line) as { id: string; answer?: string })
        assert.deepStrictEqual(
          lines.map(({ answer, id }) => [id, answer]).toSorted(([a], [b]) => a!.localeCompare(b!)),
          ids.map((id) => [id, `This is ${id}.`]).toSorted(([a], [b]) => a!.localeCompare(b!)),
          readdirSync(folder).join(" ")
        )
      },
      posts: Effect.map(azure.requests, (requests) =>
        requests.filter(({ operation }) => operation === "responses").length)
    }
  })
