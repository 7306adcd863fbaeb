// Error codes of OpenSSL and of certificate checks, which arrive through other protocols as socket errors.

/** True for a code that says that the handshake failed or the certificate is not trusted. */
export function isTlsCode(code: string | undefined): boolean {
  return /^ERR_(SSL|TLS)_|CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code ?? '');
}
