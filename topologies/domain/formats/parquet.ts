// Apache Parquet: a few columns in one file, readable by every engine that reads Parquet.
//
// Invariant: the same columns give the same bytes: neither a time nor a version of ours is written.
// Surprise: a lone surrogate has no UTF-8 and becomes U+FFFD.
import { type BasicType, parquetWriteBuffer } from 'hyparquet-writer';

export interface ParquetColumn {
  readonly name: string;
  /** text: UTF-8. time: milliseconds, UTC; values are epoch ms. */
  readonly type: 'text' | 'time';
  readonly nullable: boolean;
  readonly values: readonly (string | number | null)[];
}

export type ParquetCompression = 'snappy' | 'none';

const types: Readonly<Record<ParquetColumn['type'], BasicType>> = { text: 'STRING', time: 'TIMESTAMP' };

/** One file. All columns have the same number of values, at least one. */
export function parquetOf(columns: readonly ParquetColumn[], compression: ParquetCompression): Buffer {
  const written = parquetWriteBuffer({
    createdBy: 'tocsin',
    codec: compression === 'none' ? 'UNCOMPRESSED' : 'SNAPPY',
    columnData: columns.map(({ name, type, nullable, values }) => ({
      name,
      type: types[type],
      nullable,
      data: values.map((value) =>
        typeof value === 'number' ? new Date(value) : (value?.toWellFormed() ?? null),
      ),
    })),
  });
  return Buffer.from(written);
}
