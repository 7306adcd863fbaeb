// PostgreSQL runs as the caller, or as an unprivileged user of the machine when the caller is root.
import { describe, expect, it } from 'vitest';
import { postgresUser } from './postgres-user.ts';

const passwd =
  'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n';

describe('postgresUser', () => {
  it('changes nothing for an ordinary user', () => {
    expect(postgresUser(1000, passwd)).toBeUndefined();
  });

  it('prefers postgres to nobody', () => {
    expect(postgresUser(0, `${passwd}postgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n`)).toEqual({
      uid: 101,
      gid: 104,
    });
    expect(postgresUser(0, passwd)).toEqual({ uid: 65534, gid: 65533 });
  });

  it('refuses when there is nobody to be, or only a second root', () => {
    expect(() => postgresUser(0, 'root:x:0:0::/root:/bin/sh\npostgres:x:0:0::/:/bin/sh\n')).toThrow(
      /set DATABASE_URL/,
    );
  });
});
