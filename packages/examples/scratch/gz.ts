import * as zlib from "node:zlib"
import { Stream, Effect } from "effect"
const text = "data: hello\n\n".repeat(3)
const full = zlib.gzipSync(text)
const run = async (name: string, chunks: Array<Uint8Array>) => {
  let ended = false
  const up = Stream.fromIterable(chunks).pipe(Stream.onEnd(Effect.sync(() => { ended = true })))
  const s = Stream.fromReadableStream({ evaluate: () => Stream.toReadableStream(up).pipeThrough(new DecompressionStream("gzip")), onError: (e) => ({ ended, e }) })
  const out: string[] = []
  const exit = await Effect.runPromiseExit(Stream.runForEach(s, (b) => Effect.sync(() => out.push(new TextDecoder().decode(b)))))
  console.log(name, exit._tag, out.join("").length, exit._tag === "Failure" ? exit.cause.toString().slice(0, 300) : "", ended)
}
await run("full", [full]); await run("bytes", [...full].map((b) => Uint8Array.of(b)))
await run("cut", [full.subarray(0, full.length - 10)])
await run("cut trailer", [full.subarray(0, full.length - 3)])
await run("corrupt", [full.subarray(0, 12), Buffer.from("nonsense nonsense nonsense"), full])
await run("empty", [])
await run("two members", [full, full])
await run("garbage after", [full, Buffer.from("xx")])
// latency
const gz = zlib.createGzip(); const chunks: Buffer[] = []
gz.on("data", (c) => chunks.push(c))
const src = Stream.fromIterable([1,2,3]).pipe(Stream.mapEffect((n) => Effect.promise(async () => { await new Promise((r) => setTimeout(r, 100)); gz.write(`data: ${n}\n\n`); await new Promise((r) => gz.flush(zlib.constants.Z_SYNC_FLUSH, () => r(0))); const b = Buffer.concat(chunks.splice(0)); return new Uint8Array(b) })))
const t0 = Date.now()
const d = Stream.fromReadableStream({ evaluate: () => Stream.toReadableStream(src).pipeThrough(new DecompressionStream("gzip")), onError: (e) => e })
await Effect.runPromise(Effect.exit(Stream.runForEach(d, (b) => Effect.sync(() => console.log(Date.now() - t0, JSON.stringify(new TextDecoder().decode(b))))))).then(e => console.log(e._tag))
