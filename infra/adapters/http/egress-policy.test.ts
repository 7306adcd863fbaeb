// The three modes against literal hosts, names and resolved addresses.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEgressPolicy, type EgressMode } from './egress-policy.ts';

const modes: readonly EgressMode[] = ['open', 'allowlist', 'airgapped'];
const everything = ['0.0.0.0/0', '::/0'];

/** What a URL's host becomes after WHATWG parsing, as the client does it. */
const host = (url: string): string => new URL(url).hostname;

describe('T01 T04 exotic spellings of loopback and metadata addresses', () => {
  const urls = [
    'http://0x7f.1/',
    'http://2130706433/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://①②⑦.⓪.⓪.①/',
    'http://localhost./',
    'http://localhost。/',
    'http://LOCALHOST/',
    'http://api.localhost/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://169.254.169.254/',
    'http://0251.0376.0251.0376/',
    'http://0xa9fea9fe/',
    'http://0/',
    'http://[::]/',
    'http://[fe80::1]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[2002:7f00:1::]/',
  ];
  for (const url of urls) {
    for (const mode of modes) {
      it(`${mode} refuses ${url}`, () => {
        expect(createEgressPolicy({ mode }).destination(host(url)).refuseHost()).toMatch(
          /never allowed|loopback/,
        );
      });
    }
  }
});

describe('modes', () => {
  const verdict = (
    mode: EgressMode,
    address: string,
    extra: { hosts?: string[]; cidrs?: string[]; own?: string[]; name?: string } = {},
  ) =>
    createEgressPolicy({ mode, allowHosts: extra.hosts ?? [], allowCidrs: extra.cidrs ?? [] })
      .destination(extra.name ?? 'api.example.org', extra.own)
      .refuseAddress(address) === null;

  it('open lets public through and keeps private and loopback for listed ranges', () => {
    expect(verdict('open', '203.0.113.5')).toBe(true);
    expect(verdict('open', '10.0.0.5')).toBe(false);
    expect(verdict('open', '10.0.0.5', { own: ['10.0.0.0/24'] })).toBe(true);
    expect(verdict('open', '10.0.1.5', { own: ['10.0.0.0/24'] })).toBe(false);
    expect(verdict('open', '10.0.0.5', { cidrs: ['10.0.0.0/8'] })).toBe(true);
    expect(verdict('open', '127.0.0.1', { own: ['127.0.0.0/8'] })).toBe(true);
  });

  it('allowlist lets listed names reach public addresses only, and listed ranges everything in them', () => {
    expect(verdict('allowlist', '203.0.113.5')).toBe(false);
    expect(verdict('allowlist', '203.0.113.5', { hosts: ['api.example.org'] })).toBe(true);
    expect(verdict('allowlist', '203.0.113.5', { hosts: ['*.example.org'] })).toBe(true);
    expect(verdict('allowlist', '203.0.113.5', { hosts: ['*.example.org'], name: 'example.org' })).toBe(
      false,
    );
    expect(verdict('allowlist', '203.0.113.5', { hosts: ['*.example.org'], name: 'evil-example.org' })).toBe(
      false,
    );
    expect(verdict('allowlist', '203.0.113.5', { hosts: ['API.Example.ORG.'] })).toBe(true);
    expect(verdict('allowlist', '10.0.0.5', { hosts: ['api.example.org'] })).toBe(false);
    expect(verdict('allowlist', '203.0.113.5', { own: ['203.0.113.0/24'] })).toBe(true);
  });

  it('allowlist does not even resolve a name that nothing could allow', () => {
    const policy = createEgressPolicy({ mode: 'allowlist', allowHosts: ['a.example'] });
    expect(policy.destination('b.example').refuseHost()).toMatch(/not in the list/);
    expect(policy.destination('b.example', ['10.0.0.0/8']).refuseHost()).toBeNull();
    expect(policy.destination('a.example').refuseHost()).toBeNull();
  });

  it('A62: airgapped lets private ranges through and public ones only when listed', () => {
    expect(verdict('airgapped', '10.0.0.5')).toBe(true);
    expect(verdict('airgapped', 'fd12::5')).toBe(true);
    expect(verdict('airgapped', '203.0.113.5')).toBe(false);
    expect(verdict('airgapped', '203.0.113.5', { hosts: ['api.example.org'] })).toBe(true);
    expect(verdict('airgapped', '127.0.0.1')).toBe(false);
  });

  it('denied ranges win over allowed ones', () => {
    const policy = createEgressPolicy({
      mode: 'open',
      allowCidrs: ['10.0.0.0/8'],
      denyCidrs: ['10.0.0.9/32'],
    });
    expect(policy.destination('x.example').refuseAddress('10.0.0.9')).toMatch(/denied range/);
    expect(policy.destination('x.example').refuseAddress('::ffff:10.0.0.9')).toMatch(/denied range/);
    expect(policy.destination('x.example').refuseAddress('10.0.0.8')).toBeNull();
  });
});

describe('properties', () => {
  const linkLocal = fc.tuple(fc.nat(255), fc.nat(255)).map(([c, d]) => `169.254.${c}.${d}`);
  it('no mode and no list opens a link-local address, however it is written', () => {
    fc.assert(
      fc.property(fc.constantFrom(...modes), linkLocal, fc.boolean(), (mode, address, mapped) => {
        const policy = createEgressPolicy({ mode, allowHosts: ['a.example'], allowCidrs: everything });
        const written = mapped ? `::ffff:${address}` : address;
        return policy.destination('a.example', everything).refuseAddress(written) !== null;
      }),
    );
  });
  it('never throws on text that is no address, and refuses it', () => {
    fc.assert(
      fc.property(
        fc.string(),
        (text) =>
          createEgressPolicy({ mode: 'open' }).destination('a.example').refuseAddress(`${text}x`) !== null,
      ),
    );
  });
});
