/** Reads the protobuf form of OTLP into the objects of its JSON form: the fields that the tests look at, by their numbers in opentelemetry-proto. */

/** A repeated field is a list; numbers may come packed or one by one, and are flattened. */
type Shape = { readonly [field: number]: readonly [name: string, read: Read, repeated?: boolean] }
type Read = (field: Field) => unknown

interface Field {
  /** Of a number: a varint. */
  readonly varint: bigint
  /** Of anything else. */
  readonly bytes: Uint8Array
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** The fields of a message, one after the other. */
function* fieldsOf(bytes: Uint8Array): Generator<readonly [number: number, Field]> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n;; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error("a protobuf message ends within a number")
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new Error("a protobuf message ends within a field")
    return bytes.subarray(at, at += length)
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    switch (Number(tag & 7n)) {
      case 0:
        yield [number, { varint: varint(), bytes: new Uint8Array() }]
        break
      case 1:
        yield [number, { varint: 0n, bytes: take(8) }]
        break
      case 2:
        yield [number, { varint: 0n, bytes: take(Number(varint())) }]
        break
      case 5:
        yield [number, { varint: 0n, bytes: take(4) }]
        break
      default:
        throw new Error(`a protobuf message has a field of the unknown wire type ${tag & 7n}`)
    }
  }
}

const message = (shape: Shape): Read => ({ bytes }) => {
  const result: Record<string, unknown> = {}
  for (const [number, field] of fieldsOf(bytes)) {
    const known = shape[number]
    if (known === undefined) continue
    const [name, read, repeated] = known
    const value = read(field)
    result[name] = repeated === true
      ? [...(result[name] as ReadonlyArray<unknown> | undefined ?? []), value].flat()
      : value
  }
  return result
}

const eights = (bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from({ length: bytes.length / 8 }, (_, i) => bytes.subarray(i * 8, i * 8 + 8))

const string: Read = ({ bytes }) => new TextDecoder().decode(bytes)
const hex: Read = ({ bytes }) => Buffer.from(bytes).toString("hex")
const number: Read = ({ varint }) => Number(varint)
const bool: Read = ({ varint }) => varint === 1n
const double: Read = ({ bytes }) => view(bytes).getFloat64(0, true)
const fixed: Read = ({ bytes }) => Number(view(bytes).getBigUint64(0, true))
const doubles: Read = ({ bytes }) => eights(bytes).map((eight) => view(eight).getFloat64(0, true))
const fixeds: Read = ({ bytes }) => eights(bytes).map((eight) => Number(view(eight).getBigUint64(0, true)))

const anyValue: Read = message({
  1: ["stringValue", string],
  2: ["boolValue", bool],
  3: ["intValue", number],
  4: ["doubleValue", double],
  5: ["arrayValue", (field) => message({ 1: ["values", anyValue, true] })(field)]
})
const attribute = message({ 1: ["key", string], 2: ["value", anyValue] })
const resource = message({ 1: ["attributes", attribute, true] })

/** A request has resources, a resource has scopes, a scope has what is told. */
const request = (resources: string, scopes: string, items: string, item: Read): Read =>
  message({
    1: [
      resources,
      message({ 1: ["resource", resource], 2: [scopes, message({ 2: [items, item, true] }), true] }),
      true
    ]
  })

const span = message({
  1: ["traceId", hex],
  2: ["spanId", hex],
  4: ["parentSpanId", hex],
  5: ["name", string],
  7: ["startTimeUnixNano", fixed],
  8: ["endTimeUnixNano", fixed],
  9: ["attributes", attribute, true]
})

const numberPoint = message({ 4: ["asDouble", double], 6: ["asInt", fixed], 7: ["attributes", attribute, true] })
const histogramPoint = message({
  4: ["count", fixed],
  5: ["sum", double],
  6: ["bucketCounts", fixeds, true],
  7: ["explicitBounds", doubles, true],
  9: ["attributes", attribute, true]
})

const metric = message({
  1: ["name", string],
  2: ["description", string],
  3: ["unit", string],
  5: ["gauge", message({ 1: ["dataPoints", numberPoint, true] })],
  7: ["sum", message({ 1: ["dataPoints", numberPoint, true], 3: ["isMonotonic", bool] })],
  9: ["histogram", message({ 1: ["dataPoints", histogramPoint, true] })]
})

const log = message({
  3: ["severityText", string],
  5: ["body", anyValue],
  6: ["attributes", attribute, true],
  9: ["traceId", hex],
  10: ["spanId", hex]
})

const requests = {
  "/v1/traces": request("resourceSpans", "scopeSpans", "spans", span),
  "/v1/metrics": request("resourceMetrics", "scopeMetrics", "metrics", metric),
  "/v1/logs": request("resourceLogs", "scopeLogs", "logRecords", log)
}

export type Path = keyof typeof requests

export const isPath = (path: string | undefined): path is Path => path !== undefined && path in requests

/** The body of a request to a path as its JSON form has it. */
export const decode = (path: Path, bytes: Uint8Array): unknown => requests[path]({ varint: 0n, bytes })
