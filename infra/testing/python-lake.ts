// A data lake as its users query it: Apache Arrow's Python library over a folder with a partition for each day.
//
// Surprise: Arrow reads JSON lines by its own parser, and refuses what Python's would let pass.
import { runInPython } from './python.ts';

const program = `
import datetime, io, json, sys
import pyarrow.dataset as dataset
import pyarrow.json
asked = json.load(sys.stdin)
if asked["format"] == "parquet":
    table = dataset.dataset(asked["folder"], format="parquet", partitioning=dataset.partitioning(flavor="hive")).to_table()
else:
    table = pyarrow.json.read_json(asked["folder"])
schema = {field.name: str(field.type) + ("" if field.nullable else " not null") for field in table.schema}
def plain(value):
    return value.isoformat() if isinstance(value, datetime.datetime) else value
rows = [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]
json.dump({"schema": schema, "rows": rows}, sys.stdout)
`;

export interface LakeTable {
  /** Types by column, as Arrow names them; times are ISO 8601 in the rows. */
  readonly schema: Readonly<Record<string, string>>;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** All Parquet files below a folder with their partition, or one file of JSON lines. */
export async function queryLake(format: 'parquet' | 'ndjson', path: string): Promise<LakeTable> {
  return (await runInPython('pyarrow==21.0.0', program, { format, folder: path })) as LakeTable;
}
