// JSON Schema validation with errors that name the field. The one place that imports ajv.
//
// Nothing is coerced, defaulted or removed: a document is accepted as it is or refused.
import { readFileSync } from 'node:fs';
import { Ajv, type AnySchemaObject, type ErrorObject, type ValidateFunction } from 'ajv';
import type { AllDocuments } from '../types.ts';

/** One reason why a value is refused. `path` is a JSON Pointer (RFC 6901) into the value, '' for the value itself. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

export type DocumentName = keyof AllDocuments;
export type JsonSchema = AnySchemaObject;

const documentNames: readonly DocumentName[] = [
  'action.json',
  'asset-update.json',
  'collection-input.json',
  'command-cancel.json',
  'command.json',
  'config-record.json',
  'connection.json',
  'correlation-input.json',
  'dead-letter.json',
  'delivery.json',
  'envelope.json',
  'job-request.json',
  'list.json',
  'playbook-version.json',
  'playbook.json',
  'report.json',
  'result.json',
  'rule.json',
  'run-input.json',
  'scan-request.json',
  'script-agent.json',
  'script-entry.json',
  'search-result.json',
  'secret-ref.json',
  'sink-request.json',
  'connection-check.json',
  'sink.json',
];

function createAjv(): Ajv {
  const ajv = new Ajv({
    strict: true,
    strictRequired: false,
    strictTypes: false,
    allErrors: false,
    discriminator: false,
  });
  for (const keyword of ['example', 'secret', 'since']) ajv.addKeyword(keyword);
  return ajv;
}

const ajv = createAjv();
const schemas = new Map<DocumentName, JsonSchema>();
for (const name of documentNames) {
  const schema = JSON.parse(
    readFileSync(new URL(`../documents/${name}`, import.meta.url), 'utf8'),
  ) as JsonSchema;
  schemas.set(name, schema);
  ajv.addSchema(schema);
}

function explain(error: ErrorObject): Issue {
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'additionalProperties')
    return {
      path: `${error.instancePath}/${String(params['additionalProperty'])}`,
      message: 'unknown field',
    };
  if (error.keyword === 'required')
    return { path: `${error.instancePath}/${String(params['missingProperty'])}`, message: 'is required' };
  if (error.keyword === 'const')
    return { path: error.instancePath, message: `must be ${JSON.stringify(params['allowedValue'])}` };
  if (error.keyword === 'enum')
    return {
      path: error.instancePath,
      message: `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`,
    };
  return { path: error.instancePath, message: error.message ?? error.keyword };
}

// A union reports the errors of every branch; the useful ones are those of the branch that got furthest.
function closest(errors: readonly ErrorObject[]): ErrorObject[] {
  const wrappers = new Set(['oneOf', 'anyOf', 'if']);
  const inner = errors.filter((error) => !wrappers.has(error.keyword));
  if (inner.length === 0) return [...errors];
  const wrongBranch = new Set(
    inner.filter((error) => error.keyword === 'const').map((error) => branchOf(error.schemaPath)),
  );
  const fitting = inner.filter((error) => !wrongBranch.has(branchOf(error.schemaPath)));
  return fitting.length > 0 ? fitting : inner;
}

function branchOf(schemaPath: string): string {
  return schemaPath.match(/^.*?\/(?:oneOf|anyOf)\/\d+/)?.[0] ?? '';
}

function issuesOf(validate: ValidateFunction): Issue[] {
  const seen = new Set<string>();
  const issues: Issue[] = [];
  for (const error of closest(validate.errors ?? [])) {
    const issue = explain(error);
    const key = `${issue.path} ${issue.message}`;
    if (!seen.has(key)) issues.push(issue);
    seen.add(key);
  }
  return issues;
}

/** The schema of a document as data, for API descriptions and generated pages. */
export function documentSchema(name: DocumentName): JsonSchema {
  return schemas.get(name) as JsonSchema;
}

/** Issues of `value` against a document schema; an empty list means it is valid. */
export function checkDocument(name: DocumentName, value: unknown): Issue[] {
  const validate = ajv.getSchema(name) as ValidateFunction;
  return validate(value) ? [] : issuesOf(validate);
}

/** Compiles a schema that is not one of the documents, such as the parameters of an action type. */
export function compileCheck(schema: JsonSchema): (value: unknown) => Issue[] {
  const validate = createAjv().compile(schema);
  return (value) => (validate(value) ? [] : issuesOf(validate));
}

/**
 * Compiles a schema that others published, whatever its draft: unknown keywords and formats are passed over, and the
 * names that draft 4 gives with `id` are left out.
 */
export function compilePublishedCheck(published: JsonSchema): (value: unknown) => Issue[] {
  const text = JSON.stringify(published, (key, value: unknown) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  );
  const schema = JSON.parse(text) as JsonSchema;
  const foreign = new Ajv({ strict: false, validateFormats: false });
  const validate = foreign.compile(schema);
  return (value) => (validate(value) ? [] : issuesOf(validate));
}

/** '/a/b: must be string; /c: unknown field' */
export function formatIssues(issues: readonly Issue[]): string {
  return issues.map((issue) => `${issue.path || '/'}: ${issue.message}`).join('; ');
}
