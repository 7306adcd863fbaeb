// The list of techniques, how it is made from a STIX bundle, and layers for the ATT&CK Navigator.
import { describe, expect, it } from 'vitest';
import { compactStix } from './compact-stix.ts';
import { navigatorLayer } from './navigator-layer.ts';
import { attackVersion, techniqueOf } from './techniques.ts';

describe('the bundled list', () => {
  // attack.mitre.org, version 18.1.
  it.each([
    ['T1059', 'Command and Scripting Interpreter', ['execution'], null],
    ['T1059.001', 'PowerShell', ['execution'], null],
    ['T1110.003', 'Password Spraying', ['credential-access'], null],
    ['T1190', 'Exploit Public-Facing Application', ['initial-access'], null],
  ])('%s', (id, name, tactics, state) => {
    expect(techniqueOf(id)).toEqual({ id, name, tactics, state });
  });

  it.each(['T9999', 't1059', 'constructor', '', 'T1059.999'])('does not have %j', (id) => {
    expect(techniqueOf(id)).toBeNull();
  });

  it('says its version, and keeps techniques that are no longer in use', () => {
    expect(attackVersion).toBe('18.1');
    // Scripting became T1059 in 2020.
    expect(techniqueOf('T1064')).toMatchObject({ state: 'deprecated' });
    expect(techniqueOf('T1086')).toMatchObject({ name: 'PowerShell', state: 'revoked' });
  });
});

describe('compactStix', () => {
  const technique = (id: string, more: object = {}) => ({
    type: 'attack-pattern',
    name: `name of ${id}`,
    external_references: [
      { source_name: 'capec', external_id: 'CAPEC-1' },
      { source_name: 'mitre-attack', external_id: id },
    ],
    kill_chain_phases: [
      { kill_chain_name: 'mitre-attack', phase_name: 'persistence' },
      { kill_chain_name: 'mitre-attack', phase_name: 'execution' },
      { kill_chain_name: 'other', phase_name: 'x' },
    ],
    ...more,
  });
  const collection = { type: 'x-mitre-collection', x_mitre_version: '19.0' };

  it('takes ids, names, tactics and states; of one id twice the technique in use', () => {
    const list = compactStix(
      {
        objects: [
          technique('T2'),
          { type: 'malware', name: 'x' },
          technique('T1', { revoked: true }),
          technique('T1', { name: 'new', kill_chain_phases: [] }),
          technique('T1', { name: 'old', x_mitre_deprecated: true }),
          technique('T3', { x_mitre_deprecated: true }),
          collection,
        ],
      },
      2026,
    );
    expect(list.version).toBe('19.0');
    expect(list.copyright).toContain('© 2026 The MITRE Corporation');
    expect(list.techniques).toEqual({
      T1: ['new', []],
      T2: ['name of T2', ['execution', 'persistence']],
      T3: ['name of T3', ['execution', 'persistence'], 'deprecated'],
    });
  });

  it.each([[{}], [{ objects: [technique('T1')] }], [{ objects: [collection] }]])('refuses %j', (bundle) => {
    expect(() => compactStix(bundle, 2026)).toThrow(TypeError);
  });
});

it('a layer has what format 4.5 requires, and names unknown ids beside the matrix', () => {
  const at = new Date(0);
  const layer = navigatorLayer({
    id: 'crm',
    attackVersion: '18.1',
    domain: 'enterprise-attack',
    techniques: [
      { technique: 'T1059', count: 3, severity: 'high', last_at: at },
      { technique: 'T1059.001', count: 1, severity: 'low', last_at: at },
      { technique: 'T9999', count: 9, severity: 'low', last_at: at },
    ],
    nameOf: (id) => techniqueOf(id)?.name ?? null,
  });
  // layers/spec/v4.5/layerformat.md: required are name, domain, versions.layer "4.5", versions.navigator, techniqueID; maxValue > minValue.
  expect(layer).toMatchObject({
    name: 'crm',
    versions: { attack: '18', navigator: '5.2.0', layer: '4.5' },
    domain: 'enterprise-attack',
    techniques: [
      {
        techniqueID: 'T1059',
        score: 3,
        showSubtechniques: true,
        metadata: [{ name: 'severity', value: 'high' }],
      },
      { techniqueID: 'T1059.001', score: 1, showSubtechniques: false },
    ],
    gradient: { minValue: 0, maxValue: 3 },
    metadata: [{ name: 'unknown technique', value: 'T9999: recorded 9 times' }],
  });
  const empty = navigatorLayer({
    id: 'x',
    attackVersion: '18.1',
    domain: 'd',
    techniques: [],
    nameOf: () => null,
  });
  expect(empty).toMatchObject({ techniques: [], gradient: { minValue: 0, maxValue: 1 } });
});
