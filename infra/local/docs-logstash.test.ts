// docs/examples/logstash/s4e.conf without Logstash: its text follows Logstash's grammar, and it says none of what was wrong in the guide.
//
// Surprise: no registry carries Logstash, so whether its plugins accept the settings is not shown here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repository } from './home.ts';

/** What grammar.treetop of Logstash calls a plugin: a name with attributes; values are texts, numbers, lists, hashes or plugins. */
type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value };
interface Plugin {
  readonly section: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, Value>>;
}

/** The plugins of a configuration, those inside conditions included. Throws with the position where it follows the grammar no longer. */
function parse(text: string): Plugin[] {
  let at = 0;
  const plugins: Plugin[] = [];
  const take = (pattern: RegExp): string | null => {
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = at;
    const found = sticky.exec(text)?.[0];
    if (found === undefined) return null;
    at += found.length;
    return found;
  };
  const space = (): void => void take(/(\s+|#[^\r\n]*\r?\n)*/);
  const token = (pattern: RegExp): string | null => {
    space();
    return take(pattern);
  };
  const need = (pattern: RegExp): string => {
    const found = token(pattern);
    if (found === null) throw new Error(`${pattern} expected at ${at}: ${text.slice(at, at + 40)}`);
    return found;
  };
  const quoted = /"(\\[\s\S]|[^"\\])*"|'[^']*'/;
  const unquoted = (word: string): string => (/^["']/.test(word) ? word.slice(1, -1) : word);

  function list(): Value[] {
    const values: Value[] = [];
    while (token(/\]/) === null) {
      if (values.length > 0) need(/,/);
      values.push(value());
    }
    return values;
  }
  function attributes(): Record<string, Value> {
    const found: Record<string, Value> = {};
    while (token(/\}/) === null) {
      const name = unquoted(need(new RegExp(`[A-Za-z0-9_-]+|${quoted.source}`)));
      need(/=>/);
      if (Object.hasOwn(found, name)) throw new Error(`${name} is given twice`);
      found[name] = value();
      token(/,/);
    }
    return found;
  }
  function value(): Value {
    const text = token(quoted);
    if (text !== null) return unquoted(text);
    const number = token(/-?[0-9]+(\.[0-9]*)?/);
    if (number !== null) return Number(number);
    if (token(/\[/) !== null) return list();
    if (token(/\{/) !== null) return attributes();
    const word = need(/[A-Za-z_][A-Za-z0-9_]+/);
    if (word === 'true' || word === 'false') return word === 'true';
    return token(/\{/) === null ? word : { [word]: attributes() };
  }
  function block(section: string): void {
    while (token(/\}/) === null) {
      if (token(/if\s+!?(\[[^\], ]+\])+|else\b/) !== null) {
        need(/\{/);
        block(section);
        continue;
      }
      const name = need(/[A-Za-z0-9_-]+/);
      need(/\{/);
      plugins.push({ section, name, attributes: attributes() });
    }
  }
  while (at < text.length) {
    const section = need(/input|filter|output/);
    need(/\{/);
    block(section);
    space();
  }
  return plugins;
}

const text = readFileSync(join(repository, 'docs/examples/logstash/s4e.conf'), 'utf8');
const settings = (name: string): Plugin['attributes'] =>
  parse(text).find((plugin) => plugin.name === name)?.attributes ?? {};

it('B33 to B37: the pipeline follows the grammar, and has the plugins of the guide', () => {
  expect(parse(text).map(({ section, name }) => `${section} ${name}`)).toEqual([
    'input http',
    'filter mutate',
    'filter date',
    'filter mutate',
    'filter fingerprint',
    'output elasticsearch',
  ]);
});

it.each([
  ['a missing brace', text.replace(/\}\s*$/, '')],
  ['a missing arrow', text.replace('port =>', 'port')],
  ['an open text', text.replace('"tocsin"', '"tocsin')],
  ['a comma too much', text.replace('["headers", "host"]', '["headers",, "host"]')],
  ['a setting twice', text.replace('data_stream => false', 'action => "index"')],
])('%s is no configuration', (_, broken) => {
  expect(broken).not.toBe(text);
  expect(() => parse(broken)).toThrow();
});

it('B33: the input speaks TLS, asks who it is, and is not on the port of Beats', () => {
  expect(settings('http')).toMatchObject({ ssl_enabled: true, port: 8080, user: 'tocsin' });
});

it('B34, B35: the mark is no `source`, and the time is that of the event', () => {
  expect(settings('mutate')).toMatchObject({ add_field: { '[labels][source]': 's4e' } });
  expect(settings('date')).toEqual({ match: ['timestamp', 'ISO8601'], target: '@timestamp' });
});

it('B36, B37: a month each, over https, with an API key; no password is written down', () => {
  expect(settings('elasticsearch')).toMatchObject({
    index: 's4e-events-%{+YYYY.MM}',
    hosts: [expect.stringMatching(/^https:/)],
    action: 'create',
    document_id: '%{[@metadata][id]}',
  });
  const secrets = parse(text).flatMap(({ attributes }) =>
    Object.entries(attributes).filter(([name]) => /password|api_key/.test(name)),
  );
  expect(secrets).toHaveLength(2);
  for (const [, secret] of secrets) expect(secret).toMatch(/^\$\{[A-Z_]+\}$/);
});
