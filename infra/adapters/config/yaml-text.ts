// Reads one YAML document as data; merge keys (`<<`) are resolved as Compose files use them.
import { parse } from 'yaml';

/** The document's value. Throws with line and column when the text is no single YAML 1.2 document. */
export function parseYaml(text: string): unknown {
  return parse(text, { merge: true, uniqueKeys: true });
}
