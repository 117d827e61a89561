/** A collector of OpenTelemetry for tests: a real HTTP server on loopback that takes OTLP as JSON and as protobuf. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { decode, isPath, type Path } from "./protobuf.ts"

type Attributes = Readonly<Record<string, unknown>>

interface Span {
  readonly service: unknown
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly seconds: number
  readonly attributes: Attributes
}

/** One series of a metric, as it was told last. */
interface Point {
  readonly service: unknown
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly kind: "gauge" | "sum" | "histogram"
  readonly isMonotonic: boolean
  readonly attributes: Attributes
  /** The value, of a histogram the sum. */
  readonly value: number
  readonly count: number | undefined
  readonly bounds: ReadonlyArray<number> | undefined
  readonly buckets: ReadonlyArray<number> | undefined
}

interface Log {
  readonly service: unknown
  readonly severity: string
  readonly body: unknown
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  readonly attributes: Attributes
}

export interface Collector {
  readonly url: string
  readonly spans: ReadonlyArray<Span>
  readonly logs: ReadonlyArray<Log>
  /** The series, each with what was told last. */
  readonly points: () => ReadonlyArray<Point>
  /** Path and content type of every request. */
  readonly requests: ReadonlyArray<string>
  /** Requests that the collector has refused, and why. */
  readonly refused: ReadonlyArray<string>
}

const valueOf = (value: any): unknown =>
  value?.stringValue ?? value?.boolValue ?? value?.doubleValue ??
    (value?.intValue === undefined ? undefined : Number(value.intValue)) ??
    value?.arrayValue?.values?.map(valueOf)

const attributesOf = (attributes: ReadonlyArray<any> = []): Attributes =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]))

const serviceOf = ({ resource }: any): unknown => attributesOf(resource?.attributes)["service.name"]

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const parsed = (path: Path, type: string | undefined, body: Buffer): any => {
  if (type === "application/x-protobuf") return decode(path, body)
  if (type === "application/json") return JSON.parse(body.toString("utf8"))
  throw new Error(`the content type ${type} is none of OTLP`)
}

const spanOf = (resource: any, span: any): Span => ({
  service: serviceOf(resource),
  name: span.name,
  traceId: span.traceId,
  spanId: span.spanId,
  parentSpanId: span.parentSpanId === "" ? undefined : span.parentSpanId,
  seconds: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e9,
  attributes: attributesOf(span.attributes)
})

const pointsOf = (resource: any, metric: any): ReadonlyArray<Point> => {
  const kind = "histogram" in metric ? "histogram" : "sum" in metric ? "sum" : "gauge"
  return metric[kind].dataPoints.map((point: any): Point => ({
    service: serviceOf(resource),
    name: metric.name,
    unit: metric.unit,
    description: metric.description,
    kind,
    isMonotonic: metric[kind].isMonotonic ?? false,
    attributes: attributesOf(point.attributes),
    value: Number(point.sum ?? point.asDouble ?? point.asInt ?? 0),
    count: point.count === undefined ? undefined : Number(point.count),
    bounds: point.explicitBounds,
    buckets: point.bucketCounts?.map(Number)
  }))
}

const logOf = (resource: any, log: any): Log => ({
  service: serviceOf(resource),
  severity: log.severityText,
  body: valueOf(log.body),
  traceId: log.traceId,
  spanId: log.spanId,
  attributes: attributesOf(log.attributes)
})

/** Begins to listen, and stops with the scope. */
export const collect: Effect.Effect<Collector, never, Scope.Scope> = Effect.gen(function*() {
  const spans: Array<Span> = []
  const logs: Array<Log> = []
  const requests: Array<string> = []
  const refused: Array<string> = []
  const points = new Map<string, Point>()

  const take = (message: any): void => {
    for (const resource of message.resourceSpans ?? []) {
      for (const scope of resource.scopeSpans) {
        spans.push(...scope.spans.map((span: unknown) => spanOf(resource, span)))
      }
    }
    for (const resource of message.resourceMetrics ?? []) {
      for (const metric of resource.scopeMetrics.flatMap((scope: any) => scope.metrics ?? [])) {
        for (const point of pointsOf(resource, metric)) {
          points.set(JSON.stringify([point.service, point.name, point.attributes]), point)
        }
      }
    }
    for (const resource of message.resourceLogs ?? []) {
      for (const scope of resource.scopeLogs) {
        logs.push(...scope.logRecords.map((log: unknown) => logOf(resource, log)))
      }
    }
  }

  const server = createServer(async (request, response) => {
    const type = request.headers["content-type"]
    try {
      const body = await bodyOf(request)
      requests.push(`${request.method} ${request.url} ${type}`)
      if (request.method !== "POST" || !isPath(request.url)) throw new Error(`there is no ${request.url}`)
      take(parsed(request.url, type, body))
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    } catch (error) {
      refused.push(String(error))
      response.writeHead(400).end()
    }
  })

  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    logs,
    requests,
    refused,
    points: () => Array.from(points.values())
  }
})
