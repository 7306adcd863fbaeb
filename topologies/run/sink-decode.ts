// Confluent-framed Avro values as JSON bytes, for sinks: they forward text that was proved to be one JSON object.
import {
  type Decoded as DecodedRecord,
  decodeValue,
  type SchemaSource,
} from '@tocsin/schemas/codecs/decode.ts';
import type { Decoded, DecodeValue } from './sink-fill.ts';

/** Throws, or rejects, while the registry cannot be asked; the runner waits and asks again. */
export function createSinkDecode(schemas: SchemaSource | null): DecodeValue {
  const options = { format: 'avro' as const, ...(schemas === null ? {} : { schemas }) };
  return (_topic, bytes) => {
    const decoded = decodeValue(bytes, options);
    return decoded instanceof Promise ? decoded.then(toBytes) : toBytes(decoded);
  };
}

function toBytes(decoded: DecodedRecord): Decoded {
  if (decoded.ok) return Buffer.from(JSON.stringify(decoded.value));
  if (decoded.transient === true) throw new Error(decoded.detail);
  return { reason: decoded.reason, detail: decoded.detail };
}
