// Tags: changes and never whole sets, what a tag is, one change for each asset, loops, and what inventories answer.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { AssetUpdate, Command } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { contextFor, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, httpConnection, rowsCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { sendCommand } from '../../testing/send-command.ts';
import { contract } from '../contract.ts';
import { tag } from './execute.ts';
import { foldOf, tagOf } from './params.ts';

const inventory = httpConnection({ auth: { type: 'bearer' } }, { token: 'x' });

contract(tag, {
  folder: new URL('./', import.meta.url),
  params: { asset: '{{host}}', add: ['seen'] },
  missing: { asset: '{{host}}', add: ['seen', 'x:{{nowhere.to_be_found}}'] },
  connection: null,
  secrets: [],
  uses: ['records'],
});
contract(tag, {
  folder: new URL('./', import.meta.url),
  params: { via: 'http', asset: 'a-1', add: ['seen'] },
  missing: { via: 'http', asset: 'a-1', remove: ['seen', '{{nowhere.to_be_found}}'] },
  connection: inventory,
  secrets: ['token'],
  uses: ['http'],
});

async function ask(params: Record<string, unknown>, command: Command = eventCommand()) {
  const ports = fakes();
  const outcome = await tag.execute({ ...command, params }, contextFor(tag, ports));
  const [append = []] = ports.records.appends;
  return { outcome, append, updates: append.map(({ value }) => JSON.parse(value) as AssetUpdate) };
}
const withData = (data: Record<string, unknown>) => eventCommand({ event: { event: 'x', data } });
const check = (params: Record<string, unknown>) => checkParams(tag, params).map(({ path }) => path);

describe('tag: record', () => {
  it('is the documented one, under the key of the asset', async () => {
    const { append, updates, outcome } = await ask({
      asset: '{{data.asset.id}}',
      add: ['severity:{{data.severity}}', '{{data.asset.type}}'],
      remove: ['severity:critical', 'severity:high', 'severity:low'],
    });
    expect(append).toMatchObject([{ topic: 'asset-updates.v1', key: 'a-1001' }]);
    expect(updates[0]).toEqual({
      v: 1,
      command_id: '0123456789abcdef0123456789abcdef',
      correlation_id: '0123456789abcdef0123456789abcdef',
      requested_at: '2026-04-28T12:00:00.005Z',
      hops: 0,
      source: { id: 'findings.v1/0/42', event: 'finding.new' },
      action: 'notify',
      rule: 'critical-findings',
      asset: 'a-1001',
      add_tags: ['severity:critical', 'domain'],
      remove_tags: ['severity:high', 'severity:low'],
    });
    expect(checkDocument('asset-update.json', updates[0])).toEqual([]);
    expect(outcome).toEqual({
      status: 'done',
      output: {
        correlation_id: '0123456789abcdef0123456789abcdef',
        assets: ['a-1001'],
        changes: 1,
        add_tags: ['severity:critical', 'domain'],
        remove_tags: ['severity:high', 'severity:low'],
      },
    });
  });

  it('is one for each asset of the set in mode all, with the tags of its rows', async () => {
    const rows = [{ host: 'a', t: 'one' }, { host: 'b', t: 'two' }, { host: 'a', t: 'three' }, { host: 'c' }];
    const { updates, outcome } = await ask({ asset: '{{host}}', add: ['{{t}}'] }, rowsCommand(rows));
    expect(updates.map(({ asset, add_tags }) => [asset, add_tags])).toEqual([
      ['a', ['one', 'three']],
      ['b', ['two']],
    ]);
    expect(outcome).toMatchObject({
      output: { changes: 2 },
      warnings: ['add/0: {{t}} has no value; left out'],
    });
  });

  it('A10, A16: applied twice, or in another order with changes of others, loses nothing', () => {
    // The inventory of the README: both lists, without regard to case.
    const apply = (
      tags: readonly string[],
      { add_tags, remove_tags }: Pick<AssetUpdate, 'add_tags' | 'remove_tags'>,
    ) => {
      const gone = new Set([...remove_tags, ...add_tags].map(foldOf));
      return [...tags.filter((each) => !gone.has(foldOf(each))), ...add_tags];
    };
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 4 });
    return fc.assert(
      fc.asyncProperty(names, names, names, async (before, add, remove) => {
        fc.pre(add.length + remove.length > 0);
        const { updates } = await ask({
          asset: 'x',
          ...(add.length === 0 ? {} : { add }),
          ...(remove.length === 0 ? {} : { remove }),
        });
        const [update] = updates as [AssetUpdate];
        const once = apply([...before, 'other'], update);
        expect(apply(once, update).sort()).toEqual([...once].sort());
        expect(once).toContain('other');
        expect(once).toEqual(expect.arrayContaining(add));
        expect(once.some((each) => remove.includes(each as 'a') && !add.includes(each as 'a'))).toBe(false);
      }),
    );
  });

  it('A16: has each tag once, whatever its spelling; the first one stays', async () => {
    const { updates } = await ask(
      { asset: 'x', add: ['{{data.tags}}', 'PROD'], remove: ['Web', 'web', 'pRoD'] },
      // é as one character and as two; the ligature fi; full-width letters.
      withData({ tags: ['Prod', 'caf\u00e9', 'cafe\u0301', 'ﬁn', 'fin', 'ｐｒｏｄ', '', null] }),
    );
    expect(updates[0]).toMatchObject({ add_tags: ['Prod', 'caf\u00e9', 'ﬁn'], remove_tags: ['Web'] });
  });

  it.each([
    ['severity:{{data.none}}', 'template', 'add/0: {{data.none}} has no value'],
    ['severity:{{data.empty}}', 'invalid_body', 'add/0: "severity:" is no tag'],
    ['{{data.none}}', 'template', 'add/0: {{data.none}} has no value'],
    ['{{data.empty}}', 'template', 'add: no tag has a value'],
    ['{{data.object}}', 'invalid_body', 'add/0: {"a":1} is no tag'],
    ['{{data.space}}', 'invalid_body', 'add/0: "a b" is no tag'],
    ['{{data.list}}', 'invalid_body', 'add/0: "a,b" is no tag'],
    ['x{{data.long}}', 'invalid_body', 'is no tag'],
  ])('asks for nothing when %s is all there is', async (template, code, detail) => {
    const data = { empty: '', object: { a: 1 }, space: 'a b', list: ['a,b'], long: 'x'.repeat(64) };
    const { outcome, append } = await ask({ asset: 'x', add: [template] }, withData(data));
    expect(append).toEqual([]);
    expect(outcome).toMatchObject({ status: 'failed', code, retry: 'never' });
    expect(outcome.status === 'failed' && outcome.detail).toContain(detail);
    const rest = await ask({ asset: 'x', add: [template, 'kept'] }, withData(data));
    expect(rest.updates[0]).toMatchObject({ add_tags: ['kept'] });
  });

  it('lets no hostile value in', async () => {
    for (const hostile of Object.values(hostileTexts)) {
      const { updates, outcome } = await ask(
        { asset: 'x', add: ['{{data.t}}', 'kept'] },
        withData({ t: hostile }),
      );
      expect(updates[0]).toMatchObject({ add_tags: ['kept'] });
      expect(outcome.status === 'done' && outcome.warnings?.length).toBe(1);
    }
  });

  it('A16: is not written behind more than five actions', async () => {
    expect((await ask({ asset: 'x', add: ['t'] }, eventCommand({ hops: 5 }))).append.length).toBe(1);
    const { outcome, append } = await ask({ asset: 'x', add: ['t'] }, eventCommand({ hops: 6 }));
    expect(append).toEqual([]);
    expect(outcome).toMatchObject({ status: 'failed', code: 'loop_detected', retry: 'never' });
  });
});

describe('tag: what a tag is', () => {
  it.each([
    'a',
    'A9',
    'team/soc',
    'env=prod',
    'v1.2',
    'owner@example',
    'größe',
    '日本',
    '_x',
    'c++',
    7,
    true,
  ])('%s', (value) => expect(tagOf(value)).toBe(String(value)));
  it.each([
    '',
    ' ',
    '-a',
    ':a',
    'a:',
    'a-',
    'a b',
    'a\nb',
    'a\u0000',
    'a\u200bb',
    'a\u202eb',
    '\ud800',
    'a,b',
    'a;b',
    '<b>',
    'a"b',
    '💥',
    'x'.repeat(65),
    null,
    {},
    [],
  ])('is not %j', (value) => expect(tagOf(value)).toBeNull());
});

describe('tag: call', () => {
  const call = (params: Record<string, unknown>, command: Command = eventCommand(), status = 200) =>
    sendCommand(tag, { ...command, params: { via: 'http', ...params } }, inventory, { answers: [status] });

  it('patches both lists', async () => {
    const { request, body, outcome } = await call(
      { asset: 'a/1', add: ['x'], remove: ['y'] },
      eventCommand(),
      204,
    );
    expect(request).toMatchObject({ method: 'PATCH', url: 'https://siem.example.com/api/assets/a%2F1' });
    expect(request?.headers).toContainEqual(['idempotency-key', '0123456789abcdef0123456789abcdef']);
    expect(body).toEqual({ add_tags: ['x'], remove_tags: ['y'] });
    expect(outcome).toMatchObject({
      status: 'done',
      output: { add_tags: ['x'], remove_tags: ['y'], status_code: 204 },
    });
  });

  it('has the method, path and body of another inventory', async () => {
    const { request, body } = await call({
      asset: 'a',
      add: ['x', 'z'],
      method: 'POST',
      path: '/v1/hosts/{{request.asset}}/labels',
      body: { add: '{{request.add_tags}}' },
    });
    expect(request).toMatchObject({ method: 'POST', url: 'https://siem.example.com/v1/hosts/a/labels' });
    expect(body).toEqual({ add: ['x', 'z'] });
  });

  it('changes one asset', async () => {
    const { outcome, requests } = await call(
      { asset: '{{host}}', add: ['x'] },
      rowsCommand([{ host: 'a' }, { host: 'b' }]),
    );
    expect(requests).toEqual([]);
    expect(outcome).toMatchObject({ code: 'invalid_params', retry: 'never' });
  });
});

describe('tag: parameters', () => {
  it.each([
    [{ asset: 'a' }, ['']],
    [{ add: ['x'] }, ['/asset']],
    [{ asset: 'a', add: [] }, ['/add']],
    [{ asset: 'a', add: ['x', 'a b'] }, ['/add/1']],
    [{ asset: 'a', remove: ['{{{x}}}'] }, ['/remove/0']],
    [{ asset: 'a', add: ['x'], method: 'POST' }, ['/method']],
    [{ asset: 'a', add: ['x'], via: 'http', method: 'DELETE' }, ['/method']],
    [{ asset: 'a', add: ['x'], via: 'http', body: { '{{a}}': 1 } }, ['/body/{{a}}']],
  ])('%j: %j', (params, paths) => expect(check(params)).toEqual(paths));
});
