// Certificates for tests, made by the openssl command: a private authority, and leaves that are right or wrong in one way each.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  /** A leaf signed by this authority. `names` as subjectAltName entries: `DNS:a.example`, `IP:127.0.0.1`. */
  issue(names: readonly string[], options?: { expired?: boolean; client?: boolean }): Certificate;
}

/** Throws when the openssl command is missing. */
export function createAuthority(commonName = 'Test Authority'): Authority {
  const own = withFolder((folder) => {
    openssl(folder, [
      'req',
      '-x509',
      ...newKey('ca.key'),
      '-days',
      '30',
      '-subj',
      `/CN=${commonName}`,
      '-out',
      'ca.pem',
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    ]);
    return read(folder, 'ca');
  });
  return {
    ...own,
    issue: (names, options = {}) =>
      withFolder((folder) => {
        writeFileSync(join(folder, 'ca.pem'), own.cert);
        writeFileSync(join(folder, 'ca.key'), own.key);
        const usage = options.client === true ? 'clientAuth' : 'serverAuth';
        writeFileSync(
          join(folder, 'ext'),
          `subjectAltName=${names.join(',')}\nextendedKeyUsage=${usage}\nbasicConstraints=CA:FALSE\n`,
        );
        openssl(folder, ['req', '-new', ...newKey('leaf.key'), '-subj', '/CN=leaf', '-out', 'leaf.csr']);
        // A negative number of days ends the validity in the past; it begins now, which no verifier minds.
        openssl(folder, [
          'x509',
          '-req',
          '-in',
          'leaf.csr',
          '-CA',
          'ca.pem',
          '-CAkey',
          'ca.key',
          '-CAcreateserial',
          '-extfile',
          'ext',
          '-days',
          options.expired === true ? '-1' : '30',
          '-out',
          'leaf.pem',
        ]);
        return read(folder, 'leaf');
      }),
  };
}

/** A certificate that nobody but itself signed. */
export function createSelfSigned(names: readonly string[]): Certificate {
  return withFolder((folder) => {
    openssl(folder, [
      'req',
      '-x509',
      ...newKey('self.key'),
      '-days',
      '30',
      '-subj',
      '/CN=self',
      '-addext',
      `subjectAltName=${names.join(',')}`,
      '-out',
      'self.pem',
    ]);
    return read(folder, 'self');
  });
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}

function openssl(folder: string, args: readonly string[]): void {
  execFileSync('openssl', [...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}

function read(folder: string, name: string): Certificate {
  return {
    cert: readFileSync(join(folder, `${name}.pem`), 'utf8'),
    key: readFileSync(join(folder, `${name}.key`), 'utf8'),
  };
}

function withFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
